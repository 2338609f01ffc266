/** The outlines of a mask, along the edges of its pixels. */

import type { Bitmap } from "./bits";
import type { Box } from "./types";

/** A closed outline: x, y, x, y ... at its corners, in pixels of the slice; the first one is not repeated. */
export type Outline = Int32Array;

// East, south, west, north; the mask is on the right-hand side of the way.
const STEP_X = [1, 0, -1, 0] as const;
const STEP_Y = [0, 1, 0, -1] as const;

/**
 * All outlines of a mask, those of holes too. Pixels that touch at a corner only stay apart.
 *
 * @param box Nothing outside of it is looked at; the mask is taken to be empty there.
 */
export function outlines(mask: Bitmap, box: Box): Outline[] {
  const [x0, y0, x1, y1] = box;
  const { data, width } = mask;
  const columns = x1 - x0;
  const seen = new Uint8Array(columns * (y1 - y0)); // upper edges of pixels that an outline has passed
  const isSet = (x: number, y: number) => x >= x0 && y >= y0 && x < x1 && y < y1 && data[y * width + x] === 1;
  const found: Outline[] = [];
  for (let y = y0; y < y1; y++) {
    const row = y * width;
    for (let x = x0; x < x1; x++) {
      // Every outline has an upper edge somewhere: that of a hole is below it.
      if (data[row + x] !== 1 || (y > y0 && data[row - width + x] === 1)) continue;
      if (seen[(y - y0) * columns + x - x0]) continue;
      found.push(trace(x, y, isSet, (px, py) => (seen[(py - y0) * columns + px - x0] = 1)));
    }
  }
  return found;
}

function trace(
  startX: number,
  startY: number,
  isSet: (x: number, y: number) => boolean,
  pass: (x: number, y: number) => void,
): Outline {
  const corners: number[] = [];
  let [x, y, heading] = [startX, startY, 0];
  do {
    if (heading === 0) pass(x, y);
    x += STEP_X[heading] as number;
    y += STEP_Y[heading] as number;
    const next = turn(x, y, heading, isSet);
    if (next !== heading) corners.push(x, y);
    heading = next;
  } while (x !== startX || y !== startY || heading !== 0);
  return Int32Array.from(corners);
}

/** The heading after a corner of the grid, by the two pixels ahead. */
function turn(x: number, y: number, heading: number, isSet: (x: number, y: number) => boolean): number {
  // Pixels around the corner (x, y), the one ahead on the right first, by heading.
  const ahead = [
    [x, y, x, y - 1],
    [x - 1, y, x, y],
    [x - 1, y - 1, x - 1, y],
    [x, y - 1, x - 1, y - 1],
  ][heading] as [number, number, number, number];
  if (!isSet(ahead[0], ahead[1])) return (heading + 1) % 4;
  return isSet(ahead[2], ahead[3]) ? (heading + 3) % 4 : heading;
}
