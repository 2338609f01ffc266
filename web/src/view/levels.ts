/** From stored values to what is shown: `paintLevels`. The same steps as the server's grey levels. */

import type { GreyWindow, Levels } from "./types";

type Whole = Uint8Array | Int16Array | Uint16Array;

const OPAQUE = 0xff000000;

/**
 * Fill pixels with grey levels or colours.
 *
 * @param out RGBA, a number for each pixel, as `ImageData` has them on a little-endian machine (all browsers').
 */
export function paintLevels(levels: Levels, window: GreyWindow, out: Uint32Array): void {
  const { data, channels } = levels;
  if (data instanceof Float32Array) paintNumbers(data, channels, window, out);
  else if (channels === 1) paintGrey(data, window, out);
  else paintColours(data, window, out);
}

/** Whole numbers: each value is worked out once. 65,536 of them are quicker than four million pixels. */
function paintGrey(data: Whole, window: GreyWindow, out: Uint32Array): void {
  const { keys, table } = shades(data, window);
  const greys = new Uint32Array(table.length);
  for (let key = 0; key < table.length; key++) greys[key] = OPAQUE | ((table[key] as number) * 0x010101);
  for (let p = 0; p < out.length; p++) out[p] = greys[keys[p] as number] as number;
}

function paintColours(data: Whole, window: GreyWindow, out: Uint32Array): void {
  const { keys, table } = shades(data, window);
  for (let p = 0, i = 0; p < out.length; p++, i += 3) {
    const red = table[keys[i] as number] as number;
    const green = table[keys[i + 1] as number] as number;
    const blue = table[keys[i + 2] as number] as number;
    out[p] = OPAQUE | (blue << 16) | (green << 8) | red;
  }
}

function paintNumbers(data: Float32Array, channels: 1 | 3, window: GreyWindow, out: Uint32Array): void {
  const shade = shader(window);
  for (let p = 0, i = 0; p < out.length; p++, i += channels) {
    const red = shade(data[i] as number);
    const green = channels === 1 ? red : shade(data[i + 1] as number);
    const blue = channels === 1 ? red : shade(data[i + 2] as number);
    out[p] = OPAQUE | (blue << 16) | (green << 8) | red;
  }
}

/**
 * The window that a drag over the screen leads to.
 *
 * To the right is wider, up is brighter (a lower level). A drag over the whole screen is twice the width.
 */
export function draggedWindow(start: GreyWindow, dx: number, dy: number, screen: number): GreyWindow {
  const width = start.high - start.low;
  const perPixel = (2 * width) / Math.max(screen, 1);
  const level = (start.low + start.high) / 2 + dy * perPixel;
  const wider = Math.max(width + dx * perPixel, width / 64);
  return { ...start, low: level - wider / 2, high: level + wider / 2 };
}

/** A shade for every value there can be, and the values as numbers of it. */
function shades(data: Whole, window: GreyWindow): { keys: Uint8Array | Uint16Array; table: Uint8Array } {
  const shade = shader(window);
  const table = new Uint8Array(data instanceof Uint8Array ? 256 : 65536);
  const signed = data instanceof Int16Array;
  for (let key = 0; key < table.length; key++) table[key] = shade(signed ? (key << 16) >> 16 : key);
  // The same bits read without a sign: negative values are in the upper half of the table.
  return { keys: signed ? new Uint16Array(data.buffer, data.byteOffset, data.length) : data, table };
}

/** 0 to 255 of a value; not a number is black. */
function shader({ low, high, zeroIsBlack }: GreyWindow): (value: number) => number {
  const scale = 255 / (high - low || 1);
  return (value) => {
    if (value > low)
      return zeroIsBlack && value === 0 ? 0 : value >= high ? 255 : ((value - low) * scale) | 0;
    return 0;
  };
}
