/** The masks that this page knows: what the server said, and on top what it has yet to answer: `Masks`. */

import { type Signal, signal } from "@preact/signals";
import { readPatch } from "../api/patches";
import type { Axis, Change, Label, Shown, SliceMasks } from "../api/types";
import { combine } from "../view/bits";
import type { MaskLayer, Patch } from "../view/types";

export interface Edit extends Shown {
  label: number;
  patch: Patch;
  mode: "add" | "erase";
}

type ByLabel = ReadonlyMap<number, Patch>;
const MOST_SLICES = 400;

export function keyOf({ axis, slice }: Shown): string {
  return `${axis}/${slice}`;
}

export class Masks {
  /** Goes up with every change: what is drawn from here reads it. */
  readonly version: Signal<number> = signal(0);
  private known = new Map<string, ByLabel>();
  private edits: Edit[] = [];
  /** The latest request of each slice, so that an answer that was overtaken is not believed. */
  private asked = new Map<string, symbol>();

  constructor(private readonly load: (shown: Shown) => Promise<SliceMasks>) {}

  /** Everything is forgotten: another session, or a state that was reached without us. */
  reset(): void {
    this.known.clear();
    this.asked.clear();
    this.edits = [];
    this.version.value++;
  }

  /** Make sure that a slice is known. */
  async want(shown: Shown): Promise<void> {
    const key = keyOf(shown);
    if (this.known.has(key) || this.asked.has(key)) return;
    const token = Symbol(key);
    this.asked.set(key, token);
    try {
      const masks = await this.load(shown);
      const read = await readAll(masks);
      if (this.asked.get(key) !== token) return;
      this.keep(key, read);
    } finally {
      if (this.asked.get(key) === token) this.asked.delete(key);
    }
  }

  /** What an action changed: the bits of the shown slice are taken over, other slices forgotten. */
  async apply(changed: readonly Change[], shown: SliceMasks | null): Promise<void> {
    const patches = shown === null ? null : await readAll(shown);
    const shownKey = shown === null ? null : keyOf(shown);
    for (const key of new Set([...this.known.keys(), ...this.asked.keys()])) {
      if (key === shownKey && this.known.has(key)) continue;
      if (changed.some((change) => reaches(change, key))) {
        this.known.delete(key);
        this.asked.delete(key);
      }
    }
    if (patches !== null && shownKey !== null) {
      const before = this.known.get(shownKey);
      if (before !== undefined) {
        const after = new Map(before);
        for (const [label, patch] of patches) {
          const mask = combine(after.get(label) ?? null, patch, "replace");
          if (mask === null) after.delete(label);
          else after.set(label, mask);
        }
        this.keep(shownKey, after);
      }
    }
    this.version.value++;
  }

  /** Show a drawing before the server has it. */
  draw(edit: Edit): void {
    this.edits.push(edit);
    this.version.value++;
  }

  /** The server has answered a drawing, or refused it. */
  settle(edit: Edit): void {
    this.edits = this.edits.filter((each) => each !== edit);
    this.version.value++;
  }

  isKnown(shown: Shown): boolean {
    return this.known.has(keyOf(shown));
  }

  /** The masks of a slice as they are to be shown, in the order of the labels. */
  layers(shown: Shown, labels: readonly Label[], exclusive: boolean): MaskLayer[] {
    let masks = this.known.get(keyOf(shown)) ?? new Map<number, Patch>();
    for (const edit of this.edits) {
      if (edit.axis === shown.axis && edit.slice === shown.slice)
        masks = edited(masks, edit, labels, exclusive);
    }
    return labels.flatMap((label) => {
      const mask = masks.get(label.id);
      return mask === undefined
        ? []
        : [{ label: label.id, colour: label.colour, visible: label.visible, ...mask }];
    });
  }

  private keep(key: string, masks: ByLabel): void {
    this.known.delete(key);
    this.known.set(key, masks);
    const oldest = this.known.keys().next();
    if (this.known.size > MOST_SLICES && !oldest.done) this.known.delete(oldest.value);
    this.version.value++;
  }
}

async function readAll(masks: SliceMasks): Promise<Map<number, Patch>> {
  const read = masks.patches.map(
    async ({ label, box, data }) => [label, await readPatch(box, data)] as const,
  );
  return new Map(await Promise.all(read));
}

function reaches(change: Change, key: string): boolean {
  const [axis, slice] = key.split("/");
  const range = change.slices[axis as Axis];
  return range === undefined || (range[0] <= Number(slice) && Number(slice) < range[1]);
}

/** As the server does it: a drawn voxel is taken from other labels, but from none that is locked. */
function edited(masks: ByLabel, edit: Edit, labels: readonly Label[], exclusive: boolean): ByLabel {
  const after = new Map(masks);
  let { patch } = edit;
  if (edit.mode === "add" && exclusive) {
    for (const other of labels) {
      const mask = after.get(other.id);
      if (other.id === edit.label || mask === undefined) continue;
      if (other.locked) patch = combine(patch, mask, "erase") ?? { ...patch, bits: patch.bits.map(() => 0) };
      else set(after, other.id, combine(mask, patch, "erase"));
    }
  }
  set(after, edit.label, combine(after.get(edit.label) ?? null, patch, edit.mode));
  return after;
}

function set(masks: Map<number, Patch>, label: number, mask: Patch | null): void {
  if (mask === null) masks.delete(label);
  else masks.set(label, mask);
}
