/**
 * From shapes to pixels, by one rule: a pixel belongs to a shape when its centre does.
 *
 * Pixel `i` covers `[i, i + 1)`, so its centre is at `i + 0.5`. What lies outside of the picture is cut off.
 * Shapes come out as spans of rows, which both bitmaps and canvases fill quickly.
 */

import type { Box } from "./types";

/** Takes pixels `x0` to `x1` (exclusive) of row `y`. */
export type Span = (y: number, x0: number, x1: number) => void;

export interface Size {
  readonly width: number;
  readonly height: number;
}

export type Vertex = readonly [x: number, y: number];

/**
 * A round brush dragged from one place to another.
 *
 * @param radius In columns. The pixel under the brush always belongs to it, however small it is.
 * @param aspect Height of a pixel over its width: the brush is round on the screen.
 */
export function capsule(
  from: Vertex,
  to: Vertex,
  radius: number,
  aspect: number,
  size: Size,
  span: Span,
): void {
  const [ax, ay] = [from[0], from[1] * aspect];
  const [bx, by] = [to[0], to[1] * aspect];
  const lowest = Math.max(0, Math.floor((Math.min(ay, by) - radius) / aspect - 0.5));
  const highest = Math.min(size.height - 1, Math.ceil((Math.max(ay, by) + radius) / aspect - 0.5));
  for (let y = lowest; y <= highest; y++) {
    const reach = chord(ax, ay, bx, by, radius, (y + 0.5) * aspect);
    if (reach === null) continue;
    // Both ends count, so that a brush on a pixel's centre is the same to all sides.
    const x0 = Math.max(0, Math.ceil(reach[0] - 0.5));
    const x1 = Math.min(size.width, Math.floor(reach[1] - 0.5) + 1);
    if (x1 > x0) span(y, x0, x1);
  }
  if (radius >= Math.hypot(0.5, aspect / 2)) return; // it cannot miss the pixel that it is in
  for (const [x, y] of thinLine(from, to)) {
    if (x >= 0 && y >= 0 && x < size.width && y < size.height) span(y, x, x + 1);
  }
}

/** A closed polygon, inside by the even-odd rule; its edges may cross. */
export function polygon(vertices: readonly Vertex[], size: Size, span: Span): void {
  if (vertices.length < 3) return;
  const ys = vertices.map((vertex) => vertex[1]);
  const first = Math.max(0, Math.ceil(Math.min(...ys) - 0.5));
  const last = Math.min(size.height - 1, Math.floor(Math.max(...ys) - 0.5));
  for (let y = first; y <= last; y++) {
    const crossings = crossingsAt(vertices, y + 0.5);
    for (let i = 0; i + 1 < crossings.length; i += 2) {
      const x0 = Math.max(0, Math.ceil((crossings[i] as number) - 0.5));
      const x1 = Math.min(size.width, Math.ceil((crossings[i + 1] as number) - 0.5));
      if (x1 > x0) span(y, x0, x1);
    }
  }
}

/** The box that two places of a drag span: every pixel that it touches; null where it misses the picture. */
export function spannedBox(from: Vertex, to: Vertex, size: Size): Box | null {
  const x0 = Math.max(0, Math.floor(Math.min(from[0], to[0])));
  const y0 = Math.max(0, Math.floor(Math.min(from[1], to[1])));
  const x1 = Math.min(size.width, Math.ceil(Math.max(from[0], to[0])));
  const y1 = Math.min(size.height, Math.ceil(Math.max(from[1], to[1])));
  return x1 > x0 && y1 > y0 ? [x0, y0, x1, y1] : null;
}

/**
 * Evenly spaced pixels along a path, its two ends among them.
 *
 * @param most At most so many; fewer where the path is shorter than so many steps of `apart`.
 * @param apart Pixels between neighbours, at least.
 */
export function along(path: readonly Vertex[], most: number, apart: number): [number, number][] {
  const lengths = [0];
  for (let i = 1; i < path.length; i++) {
    const [a, b] = [path[i - 1] as Vertex, path[i] as Vertex];
    lengths.push((lengths[i - 1] as number) + Math.hypot(b[0] - a[0], b[1] - a[1]));
  }
  const total = lengths[lengths.length - 1] ?? 0;
  const count = Math.min(most, Math.floor(total / apart) + 1);
  const found: [number, number][] = [];
  for (let n = 0, i = 1; n < count; n++) {
    const wanted = count === 1 ? 0 : (total * n) / (count - 1);
    while (i < path.length - 1 && (lengths[i] as number) < wanted) i++;
    const [x, y] = between(path, lengths, i, wanted);
    const [last] = found.slice(-1);
    const pixel: [number, number] = [Math.floor(x), Math.floor(y)];
    if (last === undefined || last[0] !== pixel[0] || last[1] !== pixel[1]) found.push(pixel);
  }
  return found;
}

function between(path: readonly Vertex[], lengths: readonly number[], i: number, wanted: number): Vertex {
  const b = path[Math.min(i, path.length - 1)] as Vertex;
  const a = path[Math.max(i - 1, 0)] as Vertex;
  const [start, end] = [lengths[Math.max(i - 1, 0)] ?? 0, lengths[Math.min(i, path.length - 1)] ?? 0];
  const part = end > start ? (wanted - start) / (end - start) : 0;
  return [a[0] + (b[0] - a[0]) * part, a[1] + (b[1] - a[1]) * part];
}

/** Where a row meets a capsule: the union of two discs and what is between them, which is one stretch. */
function chord(
  ax: number,
  ay: number,
  bx: number,
  by: number,
  radius: number,
  y: number,
): [number, number] | null {
  let [low, high] = [Infinity, -Infinity];
  const reach = (x: number, half: number) => {
    low = Math.min(low, x - half);
    high = Math.max(high, x + half);
  };
  for (const [cx, cy] of [
    [ax, ay],
    [bx, by],
  ] as const) {
    const square = radius * radius - (y - cy) * (y - cy);
    if (square >= 0) reach(cx, Math.sqrt(square));
  }
  const length = Math.hypot(bx - ax, by - ay);
  if (length > 0) {
    // The four corners of the rectangle between the discs; its edges cross the row at most twice.
    const [nx, ny] = [(-(by - ay) / length) * radius, ((bx - ax) / length) * radius];
    const corners: Vertex[] = [
      [ax + nx, ay + ny],
      [bx + nx, by + ny],
      [bx - nx, by - ny],
      [ax - nx, ay - ny],
    ];
    for (const x of crossingsAt(corners, y)) reach(x, 0);
  }
  return low <= high ? [low, high] : null;
}

/** Where a row crosses a closed polygon, in order. Edges own their upper end, so that corners count once. */
function crossingsAt(vertices: readonly Vertex[], y: number): number[] {
  const found: number[] = [];
  let a = vertices[vertices.length - 1] as Vertex;
  for (const b of vertices) {
    if (a[1] <= y !== b[1] <= y) found.push(a[0] + ((y - a[1]) * (b[0] - a[0])) / (b[1] - a[1]));
    a = b;
  }
  return found.sort((p, q) => p - q);
}

/** The pixels under a line without width, without gaps. */
function* thinLine(from: Vertex, to: Vertex): Generator<[number, number]> {
  const steps = Math.max(1, Math.ceil(2 * Math.max(Math.abs(to[0] - from[0]), Math.abs(to[1] - from[1]))));
  let [lastX, lastY] = [Number.NaN, Number.NaN];
  for (let i = 0; i <= steps; i++) {
    const x = Math.floor(from[0] + ((to[0] - from[0]) * i) / steps);
    const y = Math.floor(from[1] + ((to[1] - from[1]) * i) / steps);
    if (x !== lastX || y !== lastY) yield [x, y];
    [lastX, lastY] = [x, y];
  }
}
