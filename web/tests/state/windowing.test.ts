import { expect, test } from "vitest";
import { enter } from "../../src/state/planes";
import {
  fromWidthLevel,
  nextPreset,
  preset,
  presetsOf,
  resetWindow,
  widthLevel,
  windowReach,
} from "../../src/state/windowing";
import { FACTS } from "./facts";

const CT = { ...FACTS, modality: "CT", window: { low: -1000, high: 400, zero_is_black: false } };

test("a CT has windows in HU, anything else its own range", () => {
  expect(presetsOf(CT).map((each) => each.name)).toEqual(["auto", "soft", "lung", "brain", "bone"]);
  expect(presetsOf(CT).find((each) => each.name === "lung")?.window).toMatchObject({ low: -1350, high: 150 });
  expect(presetsOf(FACTS).map((each) => each.name)).toEqual(["auto"]);
  expect(presetsOf(FACTS)[0]?.window).toEqual({ low: 0, high: 500, zeroIsBlack: true });
});

test("where auto is one of the windows it is not offered twice", () => {
  const soft = { ...CT, window: { low: -160, high: 240, zero_is_black: false } };
  expect(presetsOf(soft).map((each) => each.name)).toEqual(["soft", "lung", "brain", "bone"]);
});

test("width and level are the window said otherwise", () => {
  expect(widthLevel(fromWidthLevel(1500, -600))).toEqual({ width: 1500, level: -600 });
});

test("the key goes round all windows", () => {
  enter(CT);
  resetWindow(CT);
  const seen = [preset.value];
  for (let i = 0; i < 5; i++) {
    nextPreset();
    seen.push(preset.value);
  }
  expect(seen).toEqual(["auto", "soft", "lung", "brain", "bone", "auto"]);
});

test("sliders reach further than the window that is shown, also where values are small", () => {
  for (const high of [1, 255, 4000]) {
    const of = { ...FACTS, window: { low: 0, high, zero_is_black: false } };
    const { width, level, step } = windowReach(of);
    expect(width[1]).toBeGreaterThan(high);
    expect(level[0]).toBeLessThan(0);
    expect((width[1] - width[0]) / step).toBeGreaterThan(100);
  }
});
