/**
 * Masks as bits: `Bitmap` to work on, packed patches to keep and to send.
 *
 * Packed bits run row after row over the box without padding, eight to a byte from the highest.
 */

import type { Box, Patch } from "./types";

/** A mask of a whole slice, a byte for each pixel. */
export class Bitmap {
  readonly data: Uint8Array;

  constructor(
    readonly width: number,
    readonly height: number,
  ) {
    this.data = new Uint8Array(width * height);
  }

  /** Set pixels `x0` to `x1` (exclusive) of a row, which must lie inside. */
  fill(y: number, x0: number, x1: number, value: 0 | 1): void {
    this.data.fill(value, y * this.width + x0, y * this.width + x1);
  }

  /**
   * The smallest box with all set pixels; null where there are none.
   *
   * @param within Nothing is set outside of it.
   */
  bounds(within: Box = [0, 0, this.width, this.height]): Box | null {
    let [x0, y0, x1, y1] = [this.width, -1, 0, 0];
    for (let y = within[1]; y < within[3]; y++) {
      const row = this.data.subarray(y * this.width + within[0], y * this.width + within[2]);
      const first = row.indexOf(1);
      if (first < 0) continue;
      x0 = Math.min(x0, within[0] + first);
      x1 = Math.max(x1, within[0] + row.lastIndexOf(1) + 1);
      if (y0 < 0) y0 = y;
      y1 = y + 1;
    }
    return y0 < 0 ? null : [x0, y0, x1, y1];
  }

  /** The bits of a box of it. */
  packed(box: Box): Patch {
    const [x0, y0, x1, y1] = box;
    const bits = emptyBits(box);
    let at = 0;
    for (let y = y0; y < y1; y++) {
      for (let i = y * this.width + x0; i < y * this.width + x1; i++, at++) {
        if (this.data[i]) bits[at >> 3] = (bits[at >> 3] as number) | (128 >> (at & 7));
      }
    }
    return { box, bits };
  }

  /** Draw a patch; what lies outside is left out. */
  put({ box, bits }: Patch, how: "add" | "erase" | "replace" = "add"): void {
    const columns = box[2] - box[0];
    const [x0, x1] = [Math.max(box[0], 0), Math.min(box[2], this.width)];
    for (let y = Math.max(box[1], 0); y < Math.min(box[3], this.height); y++) {
      let at = (y - box[1]) * columns + x0 - box[0];
      for (let i = y * this.width + x0; i < y * this.width + x1; i++, at++) {
        // Most of a mask's box is empty or full of the same byte; a whole empty byte is skipped at once.
        const byte = bits[at >> 3] as number;
        if (byte === 0 && how !== "replace") {
          const skipped = 7 - (at & 7);
          at += skipped;
          i += skipped;
          continue;
        }
        const set = (byte >> (7 - (at & 7))) & 1;
        if (how === "replace") this.data[i] = set;
        else if (set) this.data[i] = how === "add" ? 1 : 0;
      }
    }
  }
}

/** Bits for a box, none of them set. */
export function emptyBits(box: Box): Uint8Array {
  return new Uint8Array((Math.max(box[2] - box[0], 0) * Math.max(box[3] - box[1], 0) + 7) >> 3);
}

/**
 * A mask after a patch was drawn on it.
 *
 * @param mask The mask before; null is an empty one.
 * @param patch `add` and `erase` change the pixels that are set in it, `replace` all of its box.
 * @returns The mask, cut to what is set; null where nothing is.
 */
export function combine(mask: Patch | null, patch: Patch, how: "add" | "erase" | "replace"): Patch | null {
  const whole = union(mask?.box ?? patch.box, patch.box);
  const bitmap = new Bitmap(whole[2] - whole[0], whole[3] - whole[1]);
  if (mask !== null) bitmap.put(moved(mask, -whole[0], -whole[1]));
  bitmap.put(moved(patch, -whole[0], -whole[1]), how);
  const bounds = bitmap.bounds();
  return bounds === null ? null : moved(bitmap.packed(bounds), whole[0], whole[1]);
}

/** The smallest box around two. */
export function union(a: Box, b: Box): Box {
  return [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[2], b[2]), Math.max(a[3], b[3])];
}

function moved({ box, bits }: Patch, dx: number, dy: number): Patch {
  return { box: [box[0] + dx, box[1] + dy, box[2] + dx, box[3] + dy], bits };
}
