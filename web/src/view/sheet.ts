/** The masks of the shown slice, and what is being drawn on them: `MaskSheet`. */

import type { Frame } from "./geometry";
import { drawArea, drawContour, paint } from "./painting";
import type { Size } from "./raster";
import { Stroke } from "./stroke";
import type { Drawing, MaskLayer, MaskStyle } from "./types";

export class MaskSheet {
  private layers: readonly MaskLayer[] = [];
  private style: MaskStyle = { opacity: 0.4, contours: true };
  /** What is drawn by hand; when done, it waits here for the masks that have it. */
  private stroke: Stroke | null = null;
  private drawing = false;

  /** Other masks, the lowest first. What was drawn before is taken to be in them. */
  set(layers: readonly MaskLayer[], style: MaskStyle): void {
    const { stroke } = this;
    const before = stroke && this.of(stroke.label)?.bits;
    this.layers = layers;
    this.style = style;
    if (!this.drawing) this.stroke = null;
    else if (stroke !== null && this.of(stroke.label)?.bits !== before) stroke.rebase(this.of(stroke.label));
  }

  /** Another slice is shown. */
  clear(): void {
    this.layers = [];
    this.stroke = null;
    this.drawing = false;
  }

  begin(size: Size, label: number, colour: string, mode: "add" | "erase"): Stroke {
    // An earlier stroke whose masks have not come yet is what this one is drawn on.
    const before = this.stroke?.label === label ? this.stroke.result() : this.of(label);
    this.stroke = new Stroke(size, label, colour, mode, before);
    this.drawing = true;
    return this.stroke;
  }

  /** The stroke is done. It stays until there are other masks; null where it touched nothing. */
  commit(stroke: Stroke): Drawing | null {
    this.drawing = false;
    const drawing = stroke.drawing();
    if (drawing === null) this.stroke = null;
    return drawing;
  }

  discard(): void {
    this.drawing = false;
    this.stroke = null;
  }

  /** @param density Screen pixels for each CSS pixel. */
  draw(context: CanvasRenderingContext2D, frame: Frame, density: number): void {
    const { stroke, style } = this;
    const shown = this.layers
      .filter((layer) => layer.visible && layer.label !== stroke?.label)
      .map((layer) => ({ label: layer.label, colour: layer.colour, painted: paint(layer, layer.colour) }));
    if (stroke !== null) {
      shown.push({ label: stroke.label, colour: stroke.colour, painted: stroke.painted() });
    }
    context.imageSmoothingEnabled = Math.min(frame.scaleX, frame.scaleY) * density < 1;
    context.globalAlpha = style.opacity;
    for (const { painted } of shown) drawArea(context, frame, painted);
    context.globalAlpha = 1;
    if (!style.contours) return;
    for (const { painted, label, colour } of shown) {
      drawContour(context, frame, painted.contour, label, colour);
    }
  }

  private of(label: number): MaskLayer | null {
    return this.layers.find((layer) => layer.label === label) ?? null;
  }
}
