/** A cursor that keys move, so that every tool works without a mouse: `Caret`. */

import { pixelAt } from "./geometry";
import type { Size, Vertex } from "./raster";
import type { Tool } from "./tools";

/** What a caret needs of the plane. */
export interface CaretTarget {
  readonly size: Size;
  readonly tool: Tool | null;
  /** Where it begins when there was no cursor yet. */
  readonly start: Vertex;
  /** It has moved, or is gone. */
  onCaret(at: Vertex | null): void;
  /** Enter with the pan tool. */
  place(at: Vertex): void;
}

const ARROWS: Readonly<Record<string, Vertex>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};
const LONG_STEP = 10;

/**
 * Arrows move it by a pixel, with Shift by ten. Enter presses, and Enter again releases, so that boxes, strokes and
 * outlines are drawn as with a mouse; a click is both at one place. With Alt the tool does the opposite.
 */
export class Caret {
  /** The middle of a pixel; null while the mouse is used. */
  at: Vertex | null = null;
  private held = false;

  constructor(private readonly target: CaretTarget) {}

  /** Take a key; says whether it meant something here. */
  key(key: string, shift: boolean, alt: boolean): boolean {
    const arrow = ARROWS[key];
    if (arrow !== undefined) this.step(arrow, shift ? LONG_STEP : 1);
    else if (key === "Enter") return this.enter(alt);
    else if (key === "Escape") return this.drop();
    else if (key === "Backspace") return this.target.tool?.stepBack?.() ?? false;
    else return false;
    return true;
  }

  /** The mouse has taken over. */
  hide(): void {
    if (this.at === null) return;
    if (this.held) this.target.tool?.cancel();
    this.held = false;
    this.at = null;
    this.target.onCaret(null);
  }

  private step([dx, dy]: Vertex, length: number): void {
    const { width, height } = this.target.size;
    const [x, y] = this.at ?? this.target.start;
    // The first arrow only shows where it is.
    const far = this.at === null ? 0 : length;
    this.at = [pixelAt(x + dx * far, width) + 0.5, pixelAt(y + dy * far, height) + 0.5];
    this.target.tool?.move(this.at);
    this.target.onCaret(this.at);
  }

  private enter(alt: boolean): boolean {
    const { tool } = this.target;
    if (this.at === null) return tool?.finish?.() ?? false;
    if (tool === null) this.target.place(this.at);
    else if (this.held) tool.release(this.at);
    else tool.press(this.at, alt);
    this.held = (tool?.holds ?? false) && !this.held;
    return true;
  }

  private drop(): boolean {
    const had = this.target.tool?.cancel() ?? false;
    const shown = this.at !== null;
    this.held = false;
    if (!had && shown) this.hide();
    return had || shown;
  }
}
