/** Tools that draw by hand: brush, eraser, lasso, polygon. With Shift or Alt they do the opposite. */

import { drawBrush, drawCorners, drawPath } from "../markers";
import { capsule, polygon, type Vertex } from "../raster";
import type { Stroke } from "../stroke";
import { type Bench, screenDistance, type Tool } from "./tool";

type Mode = "add" | "erase";

/** A click so near to a corner, in screen pixels, means that corner. */
const NEAR = 8;
/** Two clicks so near to each other are a double click. */
const SAME = 3;

/** Draws, or erases, where it is dragged. */
export function brushTool(bench: Bench, mode: Mode): Tool {
  let stroke: Stroke | null = null;
  let last: Vertex | null = null;
  let cursor: Vertex | null = null;
  const drag = (from: Vertex, to: Vertex) => {
    if (stroke === null) return;
    capsule(from, to, bench.settings.brushRadius, bench.aspect, bench.size, stroke.span);
    bench.redraw("masks");
  };
  return {
    holds: true,
    press(at, negative) {
      stroke = bench.begin(negative ? opposite(mode) : mode);
      last = at;
      drag(at, at);
    },
    move(at) {
      if (last !== null) drag(last, at);
      if (stroke !== null) last = at;
      cursor = at;
      bench.redraw("marks"); // the outline follows
    },
    leave() {
      cursor = null;
      bench.redraw("marks");
    },
    release() {
      if (stroke !== null) bench.commit(stroke);
      stroke = last = null;
    },
    cancel() {
      if (stroke === null) return false;
      bench.discard();
      stroke = last = null;
      return true;
    },
    draw(context, frame) {
      if (cursor !== null) drawBrush(context, frame, cursor, bench.settings.brushRadius, mode === "erase");
    },
  };
}

/** A line around an area. */
export function lassoTool(bench: Bench): Tool {
  let path: Vertex[] = [];
  let mode: Mode = "add";
  const cancel = () => {
    const open = path.length > 0;
    path = [];
    if (open) bench.redraw("marks");
    return open;
  };
  return {
    holds: true,
    press(at, negative) {
      path = [at];
      mode = negative ? "erase" : "add";
    },
    move(at) {
      if (path.length === 0) return;
      path.push(at);
      bench.redraw("marks");
    },
    release() {
      const drawn = path;
      cancel();
      fill(bench, drawn, mode);
    },
    cancel,
    draw(context, frame) {
      const [first] = path;
      if (first !== undefined) drawPath(context, frame, [...path, first], bench.settings.colour);
    },
  };
}

/** Corner after corner; closed by Enter, a double click, or a click on the first one. */
export function polygonTool(bench: Bench): Tool {
  let corners: Vertex[] = [];
  let cursor: Vertex | null = null;
  let mode: Mode = "add";
  const cancel = () => {
    const open = corners.length > 0;
    corners = [];
    if (open) bench.redraw("marks");
    return open;
  };
  const finish = () => {
    const drawn = corners;
    if (!cancel()) return false;
    fill(bench, drawn, mode);
    return true;
  };
  const near = (a: Vertex | undefined, b: Vertex, reach: number) =>
    a !== undefined && screenDistance(bench.frame, a, b) <= reach;
  return {
    holds: false,
    press(at, negative) {
      if (corners.length === 0) mode = negative ? "erase" : "add";
      const enough = corners.length >= 3;
      if (near(corners[corners.length - 1], at, SAME)) return void (enough && finish());
      if (enough && near(corners[0], at, NEAR)) return void finish();
      corners.push(at);
      cursor = at;
      bench.redraw("marks");
    },
    move(at) {
      cursor = at;
      if (corners.length > 0) bench.redraw("marks");
    },
    release() {},
    cancel,
    finish,
    stepBack() {
      if (corners.length === 0) return false;
      corners.pop();
      bench.redraw("marks");
      return true;
    },
    draw(context, frame) {
      if (corners.length === 0) return;
      drawPath(context, frame, cursor === null ? corners : [...corners, cursor], bench.settings.colour);
      drawCorners(context, frame, corners, bench.settings.colour);
    },
  };
}

function fill(bench: Bench, vertices: readonly Vertex[], mode: Mode): void {
  if (vertices.length < 3) return;
  const stroke = bench.begin(mode);
  polygon(vertices, bench.size, stroke.span);
  bench.commit(stroke);
}

function opposite(mode: Mode): Mode {
  return mode === "add" ? "erase" : "add";
}
