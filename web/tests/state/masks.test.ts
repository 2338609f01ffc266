import { beforeEach, expect, test } from "vitest";
import { writePatch } from "../../src/api/patches";
import type { Change, Label, Shown, SliceMasks } from "../../src/api/types";
import { Masks } from "../../src/state/masks";
import { Bitmap } from "../../src/view/bits";
import type { Box, MaskLayer, Patch } from "../../src/view/types";

const SIZE = 8;
const HERE: Shown = { axis: "z", slice: 3 };

function label(id: number, more: Partial<Label> = {}): Label {
  return { id, name: `label ${id}`, colour: "#e69f00", visible: true, locked: false, voxels: 0, ...more };
}

/** A patch whose box is filled. */
function filled(box: Box): Patch {
  const bitmap = new Bitmap(SIZE, SIZE);
  for (let y = box[1]; y < box[3]; y++) bitmap.fill(y, box[0], box[2], 1);
  return bitmap.packed(box);
}

function pixels(layers: readonly MaskLayer[], id: number): number {
  const layer = layers.find((each) => each.label === id);
  if (layer === undefined) return 0;
  const bitmap = new Bitmap(SIZE, SIZE);
  bitmap.put(layer);
  return bitmap.data.reduce((sum, value) => sum + value, 0);
}

function change(id: number, first: number, last: number): Change {
  return { label: id, box: [0, 0, 0, 8, 8, 8], slices: { z: [first, last], x: [0, 8] } };
}

/** What the server has. */
let stored: Map<number, Patch>;
let asked: Shown[];
let masks: Masks;

async function sliceMasks(shown: Shown, patches: ReadonlyMap<number, Patch>): Promise<SliceMasks> {
  const sent = [...patches].map(async ([id, patch]) => ({
    label: id,
    box: patch.box,
    data: await writePatch(patch),
  }));
  return { ...shown, seq: 1, patches: await Promise.all(sent) };
}

beforeEach(() => {
  stored = new Map([[1, filled([0, 0, 4, 4])]]);
  asked = [];
  masks = new Masks(async (shown) => {
    asked.push(shown);
    return sliceMasks(shown, stored);
  });
});

test("a slice is asked for once", async () => {
  await Promise.all([masks.want(HERE), masks.want(HERE)]);
  await masks.want(HERE);
  expect(asked).toEqual([HERE]);
  expect(pixels(masks.layers(HERE, [label(1)], true), 1)).toBe(16);
});

test("bits of the shown slice take the place of what was in their box, and only there", async () => {
  await masks.want(HERE);
  const reply = await sliceMasks(HERE, new Map([[1, filled([2, 2, 6, 6])]]));
  await masks.apply([change(1, 3, 4)], reply);
  expect(pixels(masks.layers(HERE, [label(1)], true), 1)).toBe(16 + 16 - 4);
  const empty = { ...filled([0, 0, 8, 8]), bits: new Uint8Array(8) };
  await masks.apply([change(1, 3, 4)], await sliceMasks(HERE, new Map([[1, empty]])));
  expect(masks.layers(HERE, [label(1)], true)).toEqual([]);
  expect(asked).toEqual([HERE]);
});

test("other slices that an action reached are asked for anew, others not", async () => {
  const [near, far] = [
    { axis: "z", slice: 4 },
    { axis: "z", slice: 6 },
  ] as const;
  await Promise.all([masks.want(HERE), masks.want(near), masks.want(far)]);
  await masks.apply([change(1, 3, 5)], await sliceMasks(HERE, new Map()));
  expect([HERE, near, far].map((each) => masks.isKnown(each))).toEqual([true, false, true]);
});

test("an answer that an action overtook is not believed", async () => {
  let release = (_: SliceMasks) => {};
  const slow = new Masks(() => new Promise((resolve) => (release = resolve)));
  const wanted = slow.want(HERE);
  await slow.apply([change(1, 3, 4)], null);
  release(await sliceMasks(HERE, stored));
  await wanted;
  expect(slow.isKnown(HERE)).toBe(false);
});

test("a drawing is seen at once, and goes if the server refuses it", async () => {
  await masks.want(HERE);
  const edit = { ...HERE, label: 1, patch: filled([4, 0, 8, 4]), mode: "add" } as const;
  masks.draw(edit);
  expect(pixels(masks.layers(HERE, [label(1)], true), 1)).toBe(32);
  expect(masks.layers({ axis: "z", slice: 4 }, [label(1)], true)).toEqual([]);
  masks.settle(edit);
  expect(pixels(masks.layers(HERE, [label(1)], true), 1)).toBe(16);
});

test("a second drawing stays on the screen when the first one is answered", async () => {
  await masks.want(HERE);
  const one = { ...HERE, label: 1, patch: filled([4, 0, 8, 4]), mode: "add" } as const;
  const two = { ...HERE, label: 1, patch: filled([4, 4, 8, 8]), mode: "add" } as const;
  masks.draw(one);
  masks.draw(two);
  // The server does not have the second one yet, and says so for the whole slice.
  const whole = new Bitmap(SIZE, SIZE);
  for (const patch of [filled([0, 0, 4, 4]), one.patch]) whole.put(patch);
  await masks.apply([change(1, 3, 4)], await sliceMasks(HERE, new Map([[1, whole.packed([0, 0, 8, 8])]])));
  masks.settle(one);
  expect(pixels(masks.layers(HERE, [label(1)], true), 1)).toBe(16 * 3);
});

test("a drawing takes pixels from other labels, but not from one that is locked", async () => {
  await masks.want(HERE);
  masks.draw({ ...HERE, label: 2, patch: filled([0, 0, 4, 8]), mode: "add" });
  const free = masks.layers(HERE, [label(1), label(2)], true);
  expect([pixels(free, 1), pixels(free, 2)]).toEqual([0, 32]);
  const held = masks.layers(HERE, [label(1, { locked: true }), label(2)], true);
  expect([pixels(held, 1), pixels(held, 2)]).toEqual([16, 16]);
  const both = masks.layers(HERE, [label(1), label(2)], false);
  expect([pixels(both, 1), pixels(both, 2)]).toEqual([16, 32]);
});

test("what did not change keeps its bits, so that nothing is drawn twice", async () => {
  await masks.want(HERE);
  const before = masks.layers(HERE, [label(1)], true)[0]?.bits;
  await masks.apply([change(2, 3, 4)], await sliceMasks(HERE, new Map([[2, filled([5, 5, 6, 6])]])));
  expect(masks.layers(HERE, [label(1), label(2)], true)[0]?.bits).toBe(before);
});
