/** What is drawn over the picture: prompts, guides, and the cursor that keys move. Shapes differ, not only colours. */

import type { Frame } from "./geometry";
import type { Vertex } from "./raster";
import type { Box, Guides, Point, PromptGroup } from "./types";

type Context = CanvasRenderingContext2D;

const DARK = "rgba(0, 0, 0, 0.75)";
const LIGHT = "#ffffff";
const POINT_RADIUS = 7;

/** A box in the label's colour with the label's number, clicks as discs with a plus and squares with a minus. */
export function drawPrompts(context: Context, frame: Frame, groups: readonly PromptGroup[]): void {
  for (const { box, colour, label } of groups) {
    if (box === null) continue;
    drawBox(context, frame, box, colour);
    drawNumber(context, frame.screenX(box[0]), frame.screenY(box[1]), label, colour);
  }
  for (const group of groups)
    for (const point of group.points) drawPoint(context, frame, point, group.colour);
}

export function drawBox(context: Context, frame: Frame, box: Box, colour: string, dash: number[] = []): void {
  const [x, y] = [frame.screenX(box[0]), frame.screenY(box[1])];
  const [width, height] = [frame.screenX(box[2]) - x, frame.screenY(box[3]) - y];
  for (const [lineWidth, style, pattern] of [
    [3.5, DARK, []],
    [1.5, colour, dash],
  ] as const) {
    context.lineWidth = lineWidth;
    context.strokeStyle = style;
    context.setLineDash([...pattern]);
    context.strokeRect(x, y, width, height);
  }
  context.setLineDash([]);
}

export function drawPoint(context: Context, frame: Frame, [x, y, kind]: Point, colour: string): void {
  const [cx, cy] = [frame.screenX(x + 0.5), frame.screenY(y + 0.5)];
  context.beginPath();
  if (kind === 1) context.arc(cx, cy, POINT_RADIUS, 0, 2 * Math.PI);
  else context.rect(cx - POINT_RADIUS + 1, cy - POINT_RADIUS + 1, 2 * POINT_RADIUS - 2, 2 * POINT_RADIUS - 2);
  context.fillStyle = kind === 1 ? colour : DARK;
  context.fill();
  context.lineWidth = 3;
  context.strokeStyle = DARK;
  context.stroke();
  context.lineWidth = 1.5;
  context.strokeStyle = kind === 1 ? LIGHT : colour;
  context.stroke();
  const sign = new Path2D(`M${cx - 4} ${cy}H${cx + 4}${kind === 1 ? `M${cx} ${cy - 4}V${cy + 4}` : ""}`);
  context.lineWidth = 4;
  context.strokeStyle = DARK;
  context.stroke(sign);
  context.lineWidth = 2;
  context.strokeStyle = LIGHT;
  context.stroke(sign);
}

/** A line over the picture that is seen on any ground. */
export function drawPath(context: Context, frame: Frame, path: readonly Vertex[], colour: string): void {
  if (path.length === 0) return;
  context.beginPath();
  for (const [x, y] of path) context.lineTo(frame.screenX(x), frame.screenY(y));
  context.lineJoin = "round";
  twice(context, colour);
}

/** The corners of a polygon; the first one, which closes it, is larger. */
export function drawCorners(context: Context, frame: Frame, path: readonly Vertex[], colour: string): void {
  path.forEach(([x, y], i) => {
    const half = i === 0 ? 5 : 3;
    context.fillStyle = DARK;
    context.fillRect(frame.screenX(x) - half - 1, frame.screenY(y) - half - 1, 2 * half + 2, 2 * half + 2);
    context.fillStyle = i === 0 ? LIGHT : colour;
    context.fillRect(frame.screenX(x) - half, frame.screenY(y) - half, 2 * half, 2 * half);
  });
}

/** How far a brush reaches. */
export function drawBrush(
  context: Context,
  frame: Frame,
  [x, y]: Vertex,
  radius: number,
  dashed: boolean,
): void {
  context.beginPath();
  context.arc(frame.screenX(x), frame.screenY(y), Math.max(radius * frame.scaleX, 2), 0, 2 * Math.PI);
  context.setLineDash(dashed ? [4, 3] : []);
  twice(context, LIGHT);
  context.setLineDash([]);
}

/** The pixel that keys have moved to, with lines to find it. */
export function drawCrosshair(context: Context, frame: Frame, [x, y]: Vertex): void {
  const [left, top] = [frame.screenX(Math.floor(x)), frame.screenY(Math.floor(y))];
  const [cx, cy] = [left + frame.scaleX / 2, top + frame.scaleY / 2];
  const [gapX, gapY] = [Math.max(frame.scaleX / 2, 6), Math.max(frame.scaleY / 2, 6)];
  const arm = 22;
  context.beginPath();
  context.moveTo(cx - gapX - arm, cy);
  context.lineTo(cx - gapX, cy);
  context.moveTo(cx + gapX, cy);
  context.lineTo(cx + gapX + arm, cy);
  context.moveTo(cx, cy - gapY - arm);
  context.lineTo(cx, cy - gapY);
  context.moveTo(cx, cy + gapY);
  context.lineTo(cx, cy + gapY + arm);
  if (frame.scaleX >= 4) context.rect(left, top, frame.scaleX, frame.scaleY);
  else context.rect(cx - 1, cy - 1, 2, 2);
  twice(context, LIGHT);
}

/** Where other planes cut this one. */
export function drawGuides(context: Context, frame: Frame, { column, row }: Guides): void {
  const { width, height } = frame.extent;
  context.beginPath();
  if (column !== null) {
    context.moveTo(frame.screenX(column + 0.5), frame.screenY(0));
    context.lineTo(frame.screenX(column + 0.5), frame.screenY(height));
  }
  if (row !== null) {
    context.moveTo(frame.screenX(0), frame.screenY(row + 0.5));
    context.lineTo(frame.screenX(width), frame.screenY(row + 0.5));
  }
  context.lineWidth = 1;
  context.strokeStyle = "rgba(255, 255, 255, 0.45)";
  context.setLineDash([2, 4]);
  context.stroke();
  context.setLineDash([]);
}

function drawNumber(context: Context, x: number, top: number, label: number, colour: string): void {
  const y = Math.max(top, 18); // stays on the screen where the box begins at its upper edge
  const text = String(label);
  context.font = "600 11px system-ui, sans-serif";
  context.textBaseline = "bottom";
  const width = context.measureText(text).width + 8;
  context.fillStyle = DARK;
  context.fillRect(x - 2, y - 17, width, 16);
  context.fillStyle = colour;
  context.fillRect(x - 2, y - 3, width, 2);
  context.fillStyle = LIGHT;
  context.fillText(text, x + 2, y - 3);
}

function twice(context: Context, colour: string): void {
  context.lineWidth = 3;
  context.strokeStyle = DARK;
  context.stroke();
  context.lineWidth = 1.25;
  context.strokeStyle = colour;
  context.stroke();
}
