import { deflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { Bitmap, combine, emptyBits } from "../../src/view/bits";
import type { Box, Patch } from "../../src/view/types";
import { seeded } from "./seeded";

/** Bits as text, the slow way: the definition in docs/server.md. */
function textOf({ box, bits }: Patch): string {
  const count = (box[2] - box[0]) * (box[3] - box[1]);
  return [...bits]
    .map((byte) => byte.toString(2).padStart(8, "0"))
    .join("")
    .slice(0, count);
}

function patchOf(box: Box, text: string): Patch {
  const padded = text.padEnd(Math.ceil(text.length / 8) * 8, "0");
  return { box, bits: Uint8Array.from(padded.match(/.{8}/g) ?? [], (byte) => Number.parseInt(byte, 2)) };
}

function setOf(patch: Patch | null): Set<string> {
  const found = new Set<string>();
  if (patch === null) return found;
  const columns = patch.box[2] - patch.box[0];
  [...textOf(patch)].forEach((bit, i) => {
    if (bit === "1") found.add(`${patch.box[0] + (i % columns)},${patch.box[1] + Math.floor(i / columns)}`);
  });
  return found;
}

function randomPatch(random: () => number, density: number): Patch {
  const [x0, y0] = [Math.floor(random() * 20), Math.floor(random() * 20)];
  const box: Box = [x0, y0, x0 + 1 + Math.floor(random() * 19), y0 + 1 + Math.floor(random() * 19)];
  const count = (box[2] - box[0]) * (box[3] - box[1]);
  return patchOf(box, Array.from({ length: count }, () => (random() < density ? "1" : "0")).join(""));
}

describe("packed bits", () => {
  it("run row after row without padding, from the highest bit", () => {
    const bitmap = new Bitmap(6, 4);
    bitmap.fill(1, 2, 5, 1);
    bitmap.fill(2, 4, 5, 1);
    const patch = bitmap.packed([2, 1, 5, 3]);
    expect(textOf(patch)).toBe("111001");
    expect([...patch.bits]).toEqual([0b11100100]);
  });

  it("come back as they were, wherever the box lies", () => {
    const random = seeded(2);
    for (let i = 0; i < 100; i++) {
      const patch = randomPatch(random, i % 2 ? 0.5 : 0.05);
      const bitmap = new Bitmap(40, 40);
      bitmap.put(patch);
      expect(textOf(bitmap.packed(patch.box))).toBe(textOf(patch));
      expect(bitmap.data.reduce((sum, bit) => sum + bit, 0)).toBe(setOf(patch).size);
    }
  });

  it("are cut off outside of the slice", () => {
    const bitmap = new Bitmap(3, 3);
    bitmap.put(patchOf([-1, -1, 2, 2], "111111111"));
    expect([...bitmap.data]).toEqual([1, 1, 0, 1, 1, 0, 0, 0, 0]);
  });

  it("of a drawn shape are small when sent", () => {
    const bitmap = new Bitmap(2048, 2048);
    for (let y = 400; y < 1600; y++) bitmap.fill(y, 1000 - (y >> 2), 1000 + (y >> 2), 1);
    const box = bitmap.bounds();
    expect(box).not.toBeNull();
    expect(deflateSync(bitmap.packed(box as Box).bits).length).toBeLessThan(20_000);
  });
});

describe("bounds", () => {
  it("are the smallest box", () => {
    const random = seeded(3);
    for (let i = 0; i < 100; i++) {
      const bitmap = new Bitmap(40, 40);
      const patch = randomPatch(random, 0.02);
      bitmap.put(patch);
      const places = [...setOf(patch)].map((place) => place.split(",").map(Number) as [number, number]);
      const [xs, ys] = [places.map(([x]) => x), places.map(([, y]) => y)];
      const expected =
        places.length === 0
          ? null
          : [Math.min(...xs), Math.min(...ys), Math.max(...xs) + 1, Math.max(...ys) + 1];
      expect(bitmap.bounds()).toEqual(expected);
    }
  });
});

describe("combine", () => {
  it("adds, erases and replaces as sets do", () => {
    const random = seeded(4);
    for (let i = 0; i < 200; i++) {
      const mask = i % 10 === 0 ? null : randomPatch(random, 0.4);
      const patch = randomPatch(random, 0.4);
      const [a, b] = [setOf(mask), setOf(patch)];
      const inBox = (place: string) => {
        const [x, y] = place.split(",").map(Number) as [number, number];
        return x >= patch.box[0] && y >= patch.box[1] && x < patch.box[2] && y < patch.box[3];
      };
      expect(setOf(combine(mask, patch, "add"))).toEqual(new Set([...a, ...b]));
      expect(setOf(combine(mask, patch, "erase"))).toEqual(new Set([...a].filter((each) => !b.has(each))));
      const outside = [...a].filter((each) => !inBox(each));
      expect(setOf(combine(mask, patch, "replace"))).toEqual(new Set([...outside, ...b]));
    }
  });

  it("leaves nothing of a mask that is erased, and cuts what is left", () => {
    const mask = patchOf([3, 3, 6, 4], "111");
    expect(combine(mask, mask, "erase")).toBeNull();
    expect(combine(mask, patchOf([3, 3, 4, 4], "1"), "erase")).toEqual(patchOf([4, 3, 6, 4], "11"));
    expect(combine(null, { box: [0, 0, 9, 9], bits: emptyBits([0, 0, 9, 9]) }, "add")).toBeNull();
  });
});
