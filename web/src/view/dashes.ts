/** Patterns of contours, so that labels can be told apart without their colours. */

const PATTERNS: readonly (readonly number[])[] = [
  [],
  [7, 4],
  [2, 3],
  [10, 3, 2, 3],
  [14, 6],
  [5, 2, 2, 2, 2, 2],
];

/** The dash pattern of a label's contour, in CSS pixels; empty for a continuous one. */
export function dashOf(label: number): readonly number[] {
  return PATTERNS[(Math.max(label, 1) - 1) % PATTERNS.length] as readonly number[];
}
