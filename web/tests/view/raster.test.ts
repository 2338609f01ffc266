import { describe, expect, it } from "vitest";
import { Bitmap } from "../../src/view/bits";
import { along, capsule, polygon, type Span, spannedBox, type Vertex } from "../../src/view/raster";
import { seeded } from "./seeded";

const size = { width: 32, height: 24 };

function drawn(draw: (span: Span) => void): string[] {
  const bitmap = new Bitmap(size.width, size.height);
  draw((y, x0, x1) => {
    if (x0 < 0 || x1 > size.width || y < 0 || y >= size.height) throw new Error("outside of the slice");
    bitmap.fill(y, x0, x1, 1);
  });
  return everyPixel((x, y) => bitmap.data[y * size.width + x] === 1);
}

function everyPixel(belongs: (x: number, y: number) => boolean): string[] {
  const found: string[] = [];
  for (let y = 0; y < size.height; y++) {
    for (let x = 0; x < size.width; x++) if (belongs(x, y)) found.push(`${x},${y}`);
  }
  return found;
}

/** Distance of a place from a stretch, in the units of columns. */
function distance([px, py]: Vertex, [ax, ay]: Vertex, [bx, by]: Vertex, aspect: number): number {
  const [dx, dy] = [bx - ax, (by - ay) * aspect];
  const square = dx * dx + dy * dy;
  const along = square === 0 ? 0 : ((px - ax) * dx + (py - ay) * aspect * dy) / square;
  const part = Math.min(Math.max(along, 0), 1);
  return Math.hypot(px - ax - dx * part, (py - ay) * aspect - dy * part);
}

describe("capsule", () => {
  it("holds the pixels whose centres a brush passes", () => {
    const random = seeded(5);
    for (let i = 0; i < 300; i++) {
      const place = (): Vertex => [random() * 44 - 6, random() * 34 - 5];
      const [from, to] = i % 3 === 0 ? [place()].flatMap((at) => [at, at]) : [place(), place()];
      const [a, b] = [from as Vertex, to as Vertex];
      const [aspect, radius] = [0.4 + random() * 3, 2.5 + random() * 6];
      const expected = everyPixel((x, y) => distance([x + 0.5, y + 0.5], a, b, aspect) <= radius);
      expect(drawn((span) => capsule(a, b, radius, aspect, size, span))).toEqual(expected);
    }
  });

  it("always holds the pixel under the brush, without gaps", () => {
    expect(drawn((span) => capsule([3.9, 4.1], [3.9, 4.1], 0.1, 1, size, span))).toEqual(["3,4"]);
    const thin = drawn((span) => capsule([2.5, 2.5], [12.5, 7.5], 0.1, 1, size, span));
    const places = thin.map((each) => each.split(",").map(Number) as [number, number]);
    for (let x = 2; x <= 12; x++) expect(places.some((place) => place[0] === x)).toBe(true);
  });

  it("is the same to all sides on a pixel's centre", () => {
    const found = drawn((span) => capsule([10.5, 10.5], [10.5, 10.5], 2, 1, size, span));
    const turned = found.map((each) => each.split(",").map(Number) as [number, number]);
    expect(found).toHaveLength(13);
    for (const [x, y] of turned) {
      expect(found).toContain(`${20 - x},${y}`);
      expect(found).toContain(`${y},${x}`);
    }
  });
});

describe("polygon", () => {
  it("holds the pixels whose centres are inside, by the even-odd rule", () => {
    const random = seeded(6);
    for (let i = 0; i < 200; i++) {
      const corners = Array.from(
        { length: 3 + Math.floor(random() * 6) },
        (): Vertex => [random() * 44 - 6, random() * 34 - 5],
      );
      const expected = everyPixel((x, y) => isInside([x + 0.5, y + 0.5], corners));
      expect(drawn((span) => polygon(corners, size, span))).toEqual(expected);
    }
  });

  it("shares no pixel with its neighbour, and leaves none out between them", () => {
    const left = drawn((span) => polygon(square(2, 2, 9.5, 9.5), size, span));
    const right = drawn((span) => polygon(square(9.5, 2, 15, 9.5), size, span));
    const both = drawn((span) => polygon(square(2, 2, 15, 9.5), size, span));
    expect([...left, ...right].sort()).toEqual(both.sort());
  });

  it("of whole numbers is the box of these pixels", () => {
    expect(drawn((span) => polygon(square(2, 3, 6, 5), size, span))).toEqual(
      everyPixel((x, y) => x >= 2 && x < 6 && y >= 3 && y < 5),
    );
  });

  it("needs three corners", () => {
    expect(
      drawn((span) =>
        polygon(
          [
            [1, 1],
            [9, 9],
          ],
          size,
          span,
        ),
      ),
    ).toEqual([]);
  });
});

describe("spannedBox", () => {
  it("covers every pixel that a drag touches, whichever way it goes, cut to the slice", () => {
    expect(spannedBox([2.2, 3.7], [5.1, 4.2], size)).toEqual([2, 3, 6, 5]);
    expect(spannedBox([5.1, 4.2], [2.2, 3.7], size)).toEqual([2, 3, 6, 5]);
    expect(spannedBox([-8, -8], [99, 2], size)).toEqual([0, 0, 32, 2]);
    expect(spannedBox([-8, -8], [-1, -1], size)).toBeNull();
    expect(spannedBox([4, 4], [4, 4], size)).toBeNull();
  });
});

describe("along", () => {
  const path: Vertex[] = [
    [0.5, 0.5],
    [10.5, 0.5],
    [10.5, 20.5],
  ];

  it("spaces points evenly, with both ends", () => {
    expect(along(path, 4, 1)).toEqual([
      [0, 0],
      [10, 0],
      [10, 10],
      [10, 20],
    ]);
    expect(along(path, 20, 5)).toHaveLength(7);
  });

  it("gives one point for a click, and none twice", () => {
    expect(along([[3.2, 4.8]], 20, 4)).toEqual([[3, 4]]);
    expect(
      along(
        [
          [3.2, 4.8],
          [3.3, 4.8],
        ],
        20,
        0.01,
      ),
    ).toEqual([[3, 4]]);
  });

  it("does not depend on how many events the mouse sent", () => {
    const fine: Vertex[] = Array.from({ length: 301 }, (_, i) =>
      i <= 100 ? [0.5 + i / 10, 0.5] : [10.5, 0.5 + (i - 100) / 10],
    );
    expect(along(fine, 7, 1)).toEqual(along(path, 7, 1));
  });
});

function square(x0: number, y0: number, x1: number, y1: number): Vertex[] {
  return [
    [x0, y0],
    [x1, y0],
    [x1, y1],
    [x0, y1],
  ];
}

/** By the crossings of a ray, written for itself. */
function isInside([px, py]: Vertex, corners: readonly Vertex[]): boolean {
  let inside = false;
  corners.forEach(([bx, by], i) => {
    const [ax, ay] = corners[(i + corners.length - 1) % corners.length] as Vertex;
    if (ay > py !== by > py && px < ax + ((py - ay) / (by - ay)) * (bx - ax)) inside = !inside;
  });
  return inside;
}
