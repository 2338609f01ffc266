import { describe, expect, it } from "vitest";
import { Bitmap } from "../../src/view/bits";
import { type Outline, outlines } from "../../src/view/contour";
import { polygon, type Vertex } from "../../src/view/raster";
import { seeded } from "./seeded";

function maskOf(rows: readonly string[]): Bitmap {
  const bitmap = new Bitmap(rows[0]?.length ?? 0, rows.length);
  rows.forEach((row, y) => {
    for (const [x, character] of [...row].entries()) if (character === "#") bitmap.fill(y, x, x + 1, 1);
  });
  return bitmap;
}

function verticesOf(outline: Outline): Vertex[] {
  return Array.from(
    { length: outline.length / 2 },
    (_, i): Vertex => [outline[2 * i] as number, outline[2 * i + 1] as number],
  );
}

const all = (mask: Bitmap) => outlines(mask, [0, 0, mask.width, mask.height]);

describe("outlines", () => {
  it("of a rectangle are its four corners", () => {
    const [only, ...others] = all(maskOf(["....", ".##.", ".##.", ".##."]));
    expect(others).toEqual([]);
    expect(verticesOf(only as Outline).sort()).toEqual([
      [1, 1],
      [1, 4],
      [3, 1],
      [3, 4],
    ]);
  });

  it("go around holes too", () => {
    expect(all(maskOf(["#####", "#...#", "#.#.#", "#...#", "#####"]))).toHaveLength(3);
  });

  it("keep pixels apart that touch at a corner only", () => {
    expect(all(maskOf(["#.", ".#"]))).toHaveLength(2);
  });

  it("enclose exactly the mask, whatever it is", () => {
    const random = seeded(7);
    for (let i = 0; i < 60; i++) {
      const mask = new Bitmap(17, 13);
      for (let at = 0; at < mask.data.length; at++) mask.data[at] = random() < 0.2 + (i % 6) / 10 ? 1 : 0;
      const again = new Bitmap(17, 13);
      // Filling every outline turns what is inside over: holes twice, which leaves them empty.
      for (const outline of all(mask)) {
        polygon(verticesOf(outline), mask, (y, x0, x1) => {
          for (let x = x0; x < x1; x++) again.data[y * 17 + x] = again.data[y * 17 + x] === 1 ? 0 : 1;
        });
      }
      expect(again.data).toEqual(mask.data);
    }
  });

  it("look at the box alone", () => {
    const mask = maskOf(["####", "####", "####"]);
    const [only] = outlines(mask, [1, 1, 3, 2]);
    expect(verticesOf(only as Outline).sort()).toEqual([
      [1, 1],
      [1, 2],
      [3, 1],
      [3, 2],
    ]);
  });
});
