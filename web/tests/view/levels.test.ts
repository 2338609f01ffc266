import { describe, expect, it } from "vitest";
import { draggedWindow, paintLevels } from "../../src/view/levels";
import type { GreyWindow, Levels } from "../../src/view/types";

function greys(data: Levels["data"], window: Partial<GreyWindow>): number[] {
  const out = new Uint32Array(data.length);
  const levels: Levels = { width: data.length, height: 1, channels: 1, data };
  paintLevels(levels, { low: 0, high: 255, zeroIsBlack: false, ...window }, out);
  return [...new Uint8Array(out.buffer)].filter((_, i) => i % 4 === 0);
}

describe("paintLevels", () => {
  it("scales and cuts off like the server, for every type of value", () => {
    const values = [-1000, -160, -159, 40, 239, 240, 3000];
    // The server: clip to [-160, 240], take -160 off, divide by 400, times 255, truncated.
    const expected = values.map((v) => Math.trunc(((Math.min(Math.max(v, -160), 240) + 160) / 400) * 255));
    expect(greys(Int16Array.from(values), { low: -160, high: 240 })).toEqual(expected);
    expect(greys(Float32Array.from(values), { low: -160, high: 240 })).toEqual(expected);
    expect(greys(Uint16Array.of(0, 30000, 60000, 65535), { low: 30000, high: 60000 })).toEqual([
      0, 0, 255, 255,
    ]);
    expect(greys(Uint8Array.of(0, 1, 128, 255), {})).toEqual([0, 1, 128, 255]);
  });

  it("makes zero black where it is the outside of the body", () => {
    expect(greys(Int16Array.of(-100, 0, 100), { low: -100, high: 100, zeroIsBlack: true })).toEqual([
      0, 0, 255,
    ]);
  });

  it("makes what is no number black, and takes a window without width", () => {
    expect(greys(Float32Array.of(Number.NaN, 5), { low: 0, high: 10 })).toEqual([0, 127]);
    expect(greys(Float32Array.of(4, 5, 6), { low: 5, high: 5 })).toEqual([0, 0, 255]);
  });

  it("keeps colours in their order, and opaque", () => {
    const out = new Uint32Array(2);
    const data = Uint8Array.of(10, 20, 30, 200, 100, 50);
    paintLevels({ width: 2, height: 1, channels: 3, data }, { low: 0, high: 255, zeroIsBlack: false }, out);
    expect([...new Uint8Array(out.buffer)]).toEqual([10, 20, 30, 255, 200, 100, 50, 255]);
  });
});

describe("draggedWindow", () => {
  const start = { low: 0, high: 100, zeroIsBlack: true };

  it("is wider to the right and brighter upwards", () => {
    expect(draggedWindow(start, 50, 0, 100)).toEqual({ low: -50, high: 150, zeroIsBlack: true });
    expect(draggedWindow(start, 0, -10, 100)).toEqual({ low: -20, high: 80, zeroIsBlack: true });
  });

  it("never turns over", () => {
    const { low, high } = draggedWindow(start, -1e4, 0, 100);
    expect(high).toBeGreaterThan(low);
  });
});
