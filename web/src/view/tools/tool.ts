/** What every tool is and works with: `Tool`, `Bench`. */

import type { Frame } from "../geometry";
import type { Size, Vertex } from "../raster";
import type { Stroke } from "../stroke";
import type { PlaneCallbacks, ToolSettings } from "../types";

/** What the canvas gives to a tool. */
export interface Bench {
  readonly size: Size;
  readonly aspect: number;
  readonly settings: ToolSettings;
  readonly callbacks: PlaneCallbacks;
  readonly frame: Frame;
  /** Begin to draw by hand, on top of the label's mask. */
  begin(mode: "add" | "erase"): Stroke;
  /** What was drawn is done: report it. It stays on the screen until there are new masks. */
  commit(stroke: Stroke): void;
  /** What was begun is dropped. */
  discard(): void;
  /** Something that a tool draws has changed; `masks` where a stroke has. */
  redraw(what: "marks" | "masks"): void;
}

/**
 * A tool turns presses, moves and releases, in pixels of the slice (see `Frame`), into callbacks.
 *
 * - `move` is called with and without a press before it; places may lie outside of the slice.
 * - `cancel` drops what is in progress and says whether there was something.
 */
export interface Tool {
  /** Whether it draws between press and release; else each press stands alone. */
  readonly holds: boolean;
  /** `negative` where the user holds Shift or Alt, or presses the right button. */
  press(at: Vertex, negative: boolean): void;
  move(at: Vertex): void;
  release(at: Vertex): void;
  cancel(): boolean;
  /** The cursor has left the plane. */
  leave?(): void;
  /** Enter without a cursor: closes what is open. Says whether there was something. */
  finish?(): boolean;
  /** Backspace: takes the latest step of what is in progress back. */
  stepBack?(): boolean;
  /** Draw what is in progress, and the tool's own cursor. */
  draw(context: CanvasRenderingContext2D, frame: Frame): void;
}

/** How far two places of the slice are from each other on the screen. */
export function screenDistance({ scaleX, scaleY }: Frame, a: Vertex, b: Vertex): number {
  return Math.hypot((a[0] - b[0]) * scaleX, (a[1] - b[1]) * scaleY);
}
