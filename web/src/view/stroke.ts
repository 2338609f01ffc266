/** A drawing by hand that is in progress, and how the mask looks with it: `Stroke`. */

import { Bitmap, union } from "./bits";
import { type Outline, outlines } from "./contour";
import { areaOf, contextOf, type Painted } from "./painting";
import type { Size, Span } from "./raster";
import type { Box, Drawing, Patch } from "./types";

/** Contours are drawn anew with every movement of the brush, as long as that takes a few milliseconds. */
const MOST_TRACED = 1 << 20;
const EMPTY: Box = [0, 0, 0, 0];

export class Stroke {
  /** What was drawn so far, all of it in a box. */
  private readonly drawn: Bitmap;
  private drawnBox: Box | null = null;
  /** The label's mask with it, all of it in a box. */
  private readonly mask: Bitmap;
  private maskBox: Box;
  private readonly area: OffscreenCanvas;
  private readonly context: OffscreenCanvasRenderingContext2D;
  private contour: readonly Outline[] | null = null;

  /**
   * @param before The label's mask on this slice.
   */
  constructor(
    size: Size,
    readonly label: number,
    readonly colour: string,
    readonly mode: "add" | "erase",
    before: Patch | null,
  ) {
    this.drawn = new Bitmap(size.width, size.height);
    this.mask = new Bitmap(size.width, size.height);
    if (before !== null) this.mask.put(before);
    this.maskBox = before?.box ?? EMPTY;
    this.area = areaOf(this.mask, colour);
    this.context = contextOf(this.area);
    this.context.fillStyle = colour;
  }

  /** Takes further pixels. */
  readonly span: Span = (y, x0, x1) => {
    const box: Box = [x0, y, x1, y + 1];
    this.contour = null;
    this.drawn.fill(y, x0, x1, 1);
    this.drawnBox = this.drawnBox === null ? box : union(this.drawnBox, box);
    if (this.mode === "add") {
      this.mask.fill(y, x0, x1, 1);
      this.maskBox = this.maskBox === EMPTY ? box : union(this.maskBox, box);
      this.context.fillRect(x0, y, x1 - x0, 1);
    } else {
      this.mask.fill(y, x0, x1, 0);
      this.context.clearRect(x0, y, x1 - x0, 1);
    }
  };

  /** How the mask looks now. */
  painted(): Painted {
    const { width, height } = this.mask;
    this.contour ??= this.traced();
    return { box: [0, 0, width, height], area: this.area, contour: this.contour };
  }

  /** The label's mask has become another one meanwhile: what was drawn is put on that. */
  rebase(before: Patch | null): void {
    const drawing = this.drawing();
    this.mask.data.fill(0);
    this.maskBox = before?.box ?? EMPTY;
    if (before !== null) this.mask.put(before);
    if (drawing !== null) {
      this.mask.put(drawing, this.mode);
      if (this.mode === "add") {
        this.maskBox = this.maskBox === EMPTY ? drawing.box : union(this.maskBox, drawing.box);
      }
    }
    this.context.clearRect(0, 0, this.mask.width, this.mask.height);
    this.context.drawImage(areaOf(this.mask, this.colour), 0, 0);
    this.contour = null;
  }

  /** The mask with what was drawn; null where it is empty. */
  result(): Patch | null {
    const box = this.mask.bounds(this.maskBox);
    return box === null ? null : this.mask.packed(box);
  }

  /** What is to be sent; null where nothing was drawn. */
  drawing(): Drawing | null {
    return this.drawnBox === null ? null : { ...this.drawn.packed(this.drawnBox), mode: this.mode };
  }

  private traced(): Outline[] {
    const [x0, y0, x1, y1] = this.maskBox;
    return (x1 - x0) * (y1 - y0) > MOST_TRACED ? [] : outlines(this.mask, this.maskBox);
  }
}
