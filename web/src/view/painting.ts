/** Masks on a canvas: areas in colour, and contours that can be told apart without it. */

import { Bitmap } from "./bits";
import { type Outline, outlines } from "./contour";
import { dashOf } from "./dashes";
import type { Frame } from "./geometry";
import type { Box, Patch } from "./types";

/** A mask that is ready to be drawn, whatever the zoom. */
export interface Painted {
  readonly box: Box;
  /** One pixel for each pixel of the box, opaque where the mask is. */
  readonly area: OffscreenCanvas;
  readonly contour: readonly Outline[];
}

// Masks that have not changed keep their bits, so they are painted once.
const known = new WeakMap<Uint8Array, { colour: string; painted: Painted }>();

/** Paint a mask, or take what was painted of it before. */
export function paint(patch: Patch, colour: string): Painted {
  const found = known.get(patch.bits);
  if (found !== undefined && found.colour === colour) return found.painted;
  const painted = paintAnew(patch, colour, found?.painted.contour);
  known.set(patch.bits, { colour, painted });
  return painted;
}

function paintAnew({ box, bits }: Patch, colour: string, contour?: readonly Outline[]): Painted {
  const [width, height] = [Math.max(box[2] - box[0], 1), Math.max(box[3] - box[1], 1)];
  const bitmap = new Bitmap(width, height);
  bitmap.put({ box: [0, 0, width, height], bits });
  return {
    box,
    area: areaOf(bitmap, colour),
    contour: contour ?? outlines(bitmap, [0, 0, width, height]).map((each) => moved(each, box[0], box[1])),
  };
}

/** A canvas with a mask in one colour. */
export function areaOf({ width, height, data }: Bitmap, colour: string): OffscreenCanvas {
  const area = new OffscreenCanvas(width, height);
  const context = contextOf(area);
  const image = context.createImageData(width, height);
  const out = new Uint32Array(image.data.buffer);
  const ink = inkOf(colour);
  for (let i = 0; i < out.length; i++) if (data[i]) out[i] = ink;
  context.putImageData(image, 0, 0);
  return area;
}

/** Draw the area of a mask. */
export function drawArea(context: CanvasRenderingContext2D, frame: Frame, { box, area }: Painted): void {
  const [x, y] = [frame.screenX(box[0]), frame.screenY(box[1])];
  context.drawImage(area, x, y, area.width * frame.scaleX, area.height * frame.scaleY);
}

/** Draw the contours of a mask: a thin dark line, and on it the label's colour in the label's pattern. */
export function drawContour(
  context: CanvasRenderingContext2D,
  frame: Frame,
  contour: readonly Outline[],
  label: number,
  colour: string,
): void {
  context.beginPath();
  for (const outline of contour) {
    for (let i = 0; i < outline.length; i += 2) {
      const [x, y] = [frame.screenX(outline[i] as number), frame.screenY(outline[i + 1] as number)];
      if (i === 0) context.moveTo(x, y);
      else context.lineTo(x, y);
    }
    context.closePath();
  }
  context.lineJoin = "bevel";
  context.setLineDash([]);
  context.lineWidth = 2;
  context.strokeStyle = "rgba(0, 0, 0, 0.55)";
  context.stroke();
  context.setLineDash([...dashOf(label)]);
  context.lineWidth = 1;
  context.strokeStyle = colour;
  context.stroke();
  context.setLineDash([]);
}

/** The 2D context of a canvas that is not on the screen. */
export function contextOf(canvas: OffscreenCanvas): OffscreenCanvasRenderingContext2D {
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("this browser has no 2D canvas");
  return context;
}

function inkOf(colour: string): number {
  const rgb = Number.parseInt(colour.slice(1), 16);
  return (0xff000000 | ((rgb & 0xff) << 16) | (rgb & 0xff00) | (rgb >> 16)) >>> 0;
}

function moved(outline: Outline, dx: number, dy: number): Outline {
  return outline.map((value, i) => value + (i % 2 === 0 ? dx : dy));
}
