/** The slice itself, windowed when the window or the slice changes and not before: `Picture`. */

import type { Frame } from "./geometry";
import { paintLevels } from "./levels";
import { contextOf } from "./painting";
import type { GreyWindow, Levels } from "./types";

/** Below so many screen pixels for a pixel of the slice, hard edges would be of uneven width. */
const CRISP_FROM = 2;

export class Picture {
  private canvas = new OffscreenCanvas(1, 1);
  private image: ImageData | null = null;
  private painted: { levels: Levels; window: GreyWindow } | null = null;

  draw(
    context: CanvasRenderingContext2D,
    frame: Frame,
    levels: Levels,
    window: GreyWindow,
    density: number,
  ): void {
    this.paint(levels, window);
    const crisp = Math.min(frame.scaleX, frame.scaleY) * density >= CRISP_FROM;
    context.imageSmoothingEnabled = !crisp;
    context.imageSmoothingQuality = "medium";
    const { width, height } = levels;
    const [x, y] = [frame.screenX(0), frame.screenY(0)];
    context.drawImage(this.canvas, x, y, width * frame.scaleX, height * frame.scaleY);
  }

  private paint(levels: Levels, window: GreyWindow): void {
    if (this.painted?.levels === levels && this.painted.window === window) return;
    const { width, height } = levels;
    if (this.image?.width !== width || this.image.height !== height) {
      this.canvas = new OffscreenCanvas(width, height);
      this.image = new ImageData(width, height);
    }
    paintLevels(levels, window, new Uint32Array(this.image.data.buffer));
    contextOf(this.canvas).putImageData(this.image, 0, 0);
    this.painted = { levels, window };
  }
}
