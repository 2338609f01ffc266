import { describe, expect, it } from "vitest";
import { FIT, Frame, pixelAt } from "../../src/view/geometry";
import { seeded } from "./seeded";

const extent = { width: 100, height: 40, aspect: 2.5, screenWidth: 600, screenHeight: 300 };

describe("Frame", () => {
  it("fits the slice into the place, its middle in the middle", () => {
    const frame = new Frame(extent, FIT);
    expect(frame.scaleX).toBe(3); // 40 rows of 2.5 are as high as 100 columns are wide
    expect(frame.scaleY).toBe(7.5);
    expect([frame.screenX(50), frame.screenY(20)]).toEqual([300, 150]);
    expect([frame.screenX(0), frame.screenY(0)]).toEqual([150, 0]);
  });

  it("shows pixels with their true proportions", () => {
    for (const aspect of [0.3, 1, 4]) {
      const frame = new Frame({ ...extent, aspect }, { zoom: 3, panX: 7, panY: -2 });
      expect(frame.scaleY / frame.scaleX).toBeCloseTo(aspect, 10);
    }
  });

  it("finds the way back", () => {
    const random = seeded(1);
    for (let i = 0; i < 200; i++) {
      const view = { zoom: 0.3 + random() * 20, panX: random() * 60 - 30, panY: random() * 40 - 20 };
      const frame = new Frame(extent, view);
      const [x, y] = [random() * 100, random() * 40];
      expect(frame.sliceX(frame.screenX(x))).toBeCloseTo(x, 8);
      expect(frame.sliceY(frame.screenY(y))).toBeCloseTo(y, 8);
    }
  });

  it("zooms about what is under the cursor", () => {
    const frame = new Frame(extent, { zoom: 2, panX: 3, panY: 1 });
    const [x, y] = [frame.sliceX(400), frame.sliceY(100)];
    const closer = new Frame(extent, frame.zoomedAt(1.7, 400, 100));
    expect(closer.view.zoom).toBeCloseTo(3.4);
    expect(closer.screenX(x)).toBeCloseTo(400, 6);
    expect(closer.screenY(y)).toBeCloseTo(100, 6);
  });

  it("moves with a drag", () => {
    const frame = new Frame(extent, { zoom: 2, panX: 3, panY: 1 });
    const moved = new Frame(extent, frame.pannedBy(30, -12));
    expect(moved.screenX(10) - frame.screenX(10)).toBeCloseTo(30);
    expect(moved.screenY(10) - frame.screenY(10)).toBeCloseTo(-12);
  });

  it("never loses the slice", () => {
    const far = new Frame(extent, new Frame(extent, FIT).pannedBy(1e6, -1e6));
    expect(far.view).toEqual({ zoom: 1, panX: -50, panY: 20 });
    const close = new Frame(extent, new Frame(extent, FIT).zoomedAt(1e9, 0, 0));
    expect(close.view.zoom).toBe(64);
  });

  it("brings a place onto the screen with the smallest move", () => {
    const frame = new Frame(extent, { zoom: 8, panX: 0, panY: 0 });
    expect(frame.showing(50, 20)).toBe(frame.view);
    const shown = new Frame(extent, frame.showing(80, 20));
    expect(shown.screenX(80)).toBeCloseTo(576);
    expect(shown.view.panY).toBe(0);
  });
});

describe("pixelAt", () => {
  it("is the pixel that covers a place, and the nearest one outside", () => {
    expect([0, 0.99, 1, 9.999, 10, -3].map((at) => pixelAt(at, 10))).toEqual([0, 0, 1, 9, 9, 0]);
  });
});
