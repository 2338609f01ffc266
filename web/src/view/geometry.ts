/** From pixels of a slice to the screen and back: `Frame`. */

import type { View } from "./types";

export const FIT: View = { zoom: 1, panX: 0, panY: 0 };
const MOST_ZOOM = 64;
const LEAST_ZOOM = 0.25;

/** What a frame depends on: the slice and the place for it. */
export interface Extent {
  /** Columns and rows of the slice. */
  readonly width: number;
  readonly height: number;
  /** Height of a pixel over its width. */
  readonly aspect: number;
  /** Of the place on the screen, in CSS pixels. */
  readonly screenWidth: number;
  readonly screenHeight: number;
}

/**
 * Pixel `i` of a slice covers `[i, i + 1)`, so its centre is at `i + 0.5`. Screen coordinates are CSS pixels from
 * the upper left corner of the place.
 */
export class Frame {
  /** Screen pixels per column and per row. */
  readonly scaleX: number;
  readonly scaleY: number;
  private readonly left: number;
  private readonly top: number;

  constructor(
    readonly extent: Extent,
    readonly view: View,
  ) {
    const { width, height, aspect, screenWidth, screenHeight } = extent;
    const fit = Math.min(screenWidth / width, screenHeight / (height * aspect));
    this.scaleX = Math.max(fit, 1e-6) * view.zoom;
    this.scaleY = this.scaleX * aspect;
    this.left = screenWidth / 2 - (width / 2 + view.panX) * this.scaleX;
    this.top = screenHeight / 2 - (height / 2 + view.panY) * this.scaleY;
  }

  screenX(x: number): number {
    return this.left + x * this.scaleX;
  }

  screenY(y: number): number {
    return this.top + y * this.scaleY;
  }

  sliceX(x: number): number {
    return (x - this.left) / this.scaleX;
  }

  sliceY(y: number): number {
    return (y - this.top) / this.scaleY;
  }

  /** The view with another zoom that leaves what is at a place of the screen where it is. */
  zoomedAt(factor: number, screenX: number, screenY: number): View {
    const zoom = Math.min(Math.max(this.view.zoom * factor, LEAST_ZOOM), MOST_ZOOM);
    const ratio = this.view.zoom / zoom;
    const fromMiddleX = (screenX - this.extent.screenWidth / 2) / this.scaleX;
    const fromMiddleY = (screenY - this.extent.screenHeight / 2) / this.scaleY;
    return this.kept({
      zoom,
      panX: this.view.panX + fromMiddleX * (1 - ratio),
      panY: this.view.panY + fromMiddleY * (1 - ratio),
    });
  }

  /** The view moved with a drag over the screen. */
  pannedBy(screenDx: number, screenDy: number): View {
    const { zoom, panX, panY } = this.view;
    return this.kept({ zoom, panX: panX - screenDx / this.scaleX, panY: panY - screenDy / this.scaleY });
  }

  /** The smallest move that brings a place of the slice onto the screen, for a cursor that keys move. */
  showing(x: number, y: number): View {
    const { screenWidth, screenHeight } = this.extent;
    const dx = overshoot(this.screenX(x), screenWidth);
    const dy = overshoot(this.screenY(y), screenHeight);
    return dx === 0 && dy === 0 ? this.view : this.pannedBy(-dx, -dy);
  }

  /** The middle of the screen always shows a part of the slice, so that nobody loses it. */
  private kept({ zoom, panX, panY }: View): View {
    const { width, height } = this.extent;
    return { zoom, panX: clamp(panX, -width / 2, width / 2), panY: clamp(panY, -height / 2, height / 2) };
  }
}

/** The pixel that a place of a slice lies in, moved to the nearest one where it lies outside. */
export function pixelAt(at: number, size: number): number {
  return clamp(Math.floor(at), 0, size - 1);
}

export function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}

function overshoot(at: number, size: number): number {
  const margin = Math.min(24, size / 4);
  return at - clamp(at, margin, size - margin);
}
