/** Tools that ask the model: box, points, scribble. */

import { clamp } from "../geometry";
import { drawBox, drawPath, drawPoint } from "../markers";
import { along, spannedBox, type Vertex } from "../raster";
import type { Point } from "../types";
import { type Bench, screenDistance, type Tool } from "./tool";

/** A press that moves less, in screen pixels, is a click: its place becomes a corner and waits for the other one. */
const CLICK = 4;
/** Of a scribble; more of them tell a model nothing new. */
const MOST_POINTS = 20;
const POINTS_APART = 4;

/** Drag from corner to corner, or click one after the other. */
export function boxTool(bench: Bench): Tool {
  let corner: Vertex | null = null;
  let end: Vertex | null = null;
  const cancel = () => {
    const open = corner !== null;
    corner = end = null;
    if (open) bench.redraw("marks");
    return open;
  };
  const done = (at: Vertex) => {
    const box = corner && spannedBox(corner, at, bench.size);
    cancel();
    if (box) bench.callbacks.onBox?.(box);
  };
  return {
    holds: false,
    press(at) {
      if (corner !== null) return done(at);
      corner = end = at;
    },
    move(at) {
      if (corner === null) return;
      end = at;
      bench.redraw("marks");
    },
    release(at) {
      if (corner !== null && screenDistance(bench.frame, corner, at) >= CLICK) done(at);
    },
    cancel,
    draw(context, frame) {
      const box = corner && end && spannedBox(corner, end, bench.size);
      if (box) drawBox(context, frame, box, bench.settings.colour, [6, 3]);
    },
  };
}

/** A click inside of the object, or outside of it. */
export function pointTool(bench: Bench, kind: 0 | 1): Tool {
  return {
    holds: false,
    press(at, negative) {
      const { width, height } = bench.size;
      if (at[0] < 0 || at[1] < 0 || at[0] >= width || at[1] >= height) return;
      bench.callbacks.onPoints?.([[Math.floor(at[0]), Math.floor(at[1]), said(kind, negative)]]);
    },
    move() {},
    release() {},
    cancel: () => false,
    draw() {},
  };
}

/** A line over the object, or over what does not belong to it: at most twenty clicks, evenly along it. */
export function scribbleTool(bench: Bench, kind: 0 | 1): Tool {
  let path: Vertex[] = [];
  let meant = kind;
  const inside = (at: Vertex): Vertex => {
    const { width, height } = bench.size;
    return [clamp(at[0], 0.5, width - 0.5), clamp(at[1], 0.5, height - 0.5)];
  };
  const points = () => along(path, MOST_POINTS, POINTS_APART).map(([x, y]): Point => [x, y, meant]);
  return {
    holds: true,
    press(at, negative) {
      path = [inside(at)];
      meant = said(kind, negative);
      bench.redraw("marks");
    },
    move(at) {
      if (path.length === 0) return;
      path.push(inside(at));
      bench.redraw("marks");
    },
    release() {
      if (path.length === 0) return;
      const found = points();
      path = [];
      bench.redraw("marks");
      bench.callbacks.onPoints?.(found);
    },
    cancel() {
      const open = path.length > 0;
      path = [];
      if (open) bench.redraw("marks");
      return open;
    },
    draw(context, frame) {
      if (path.length === 0) return;
      drawPath(context, frame, path, bench.settings.colour);
      for (const point of points()) drawPoint(context, frame, point, bench.settings.colour);
    },
  };
}

function said(kind: 0 | 1, negative: boolean): 0 | 1 {
  return negative ? (kind === 1 ? 0 : 1) : kind;
}
