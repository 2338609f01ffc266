import { deflateSync, inflateSync } from "node:zlib";
import { expect, test } from "vitest";
import { readPatch, writePatch } from "../../src/api/patches";
import type { Box } from "../../src/view/types";
import { seeded } from "../view/seeded";

const random = seeded(7);

function someBits(count: number): Uint8Array {
  return Uint8Array.from({ length: Math.ceil(count / 8) }, () => Math.floor(random() * 256));
}

test.each([
  [1, 1],
  [3, 5],
  [8, 8],
  [257, 131],
  [1500, 900], // more than one piece of base64
])("bits of %i x %i pixels come back as they were sent", async (columns, rows) => {
  const box: Box = [4, 2, 4 + columns, 2 + rows];
  const bits = someBits(columns * rows);
  const back = await readPatch(box, await writePatch({ box, bits }));
  expect(back.box).toEqual(box);
  expect(back.bits).toEqual(bits);
});

test("the format is zlib in base64, as another implementation writes and reads it", async () => {
  const bits = Uint8Array.of(0b10110000, 0b01000000);
  const theirs = deflateSync(bits).toString("base64");
  expect((await readPatch([0, 0, 5, 2], theirs)).bits).toEqual(bits);
  const ours = await writePatch({ box: [0, 0, 5, 2], bits });
  expect(new Uint8Array(inflateSync(Buffer.from(ours, "base64")))).toEqual(bits);
});

test("a view into a larger buffer sends its own bytes only", async () => {
  const bits = Uint8Array.of(9, 1, 2, 9).subarray(1, 3);
  const back = await readPatch([0, 0, 16, 1], await writePatch({ box: [0, 0, 16, 1], bits }));
  expect(back.bits).toEqual(Uint8Array.of(1, 2));
});

test("bits that do not fill the box are refused", async () => {
  const data = deflateSync(Uint8Array.of(1, 2, 3)).toString("base64");
  await expect(readPatch([0, 0, 8, 2], data)).rejects.toThrow("expected 2 bytes of mask, got 3");
});
