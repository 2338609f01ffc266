/** What becomes black and what becomes white. */

import { computed, signal } from "@preact/signals";
import type { CaseFacts } from "../api/types";
import type { GreyWindow } from "../view/types";
import { facts } from "./planes";

export interface Preset {
  name: string;
  words: string;
  window: GreyWindow;
}

// Width and level in HU, the same as the server's `ct:` options.
const CT: readonly [name: string, words: string, width: number, level: number][] = [
  ["soft", "Soft tissue", 400, 40],
  ["lung", "Lung", 1500, -600],
  ["brain", "Brain", 80, 40],
  ["bone", "Bone", 1800, 400],
];

export const greyWindow = signal<GreyWindow>({ low: 0, high: 255, zeroIsBlack: false });

export const presets = computed<Preset[]>(() => (facts.value === null ? [] : presetsOf(facts.value)));
/** The preset that is in use, if it is one. */
export const preset = computed(
  () => presets.value.find((each) => sameWindow(each.window, greyWindow.value))?.name ?? null,
);

export function presetsOf(of: CaseFacts): Preset[] {
  const { low, high, zero_is_black } = of.window;
  const auto = { name: "auto", words: "Auto", window: { low, high, zeroIsBlack: zero_is_black } };
  if (!isCt(of)) return [auto];
  const others = CT.map(([name, words, width, level]) => ({
    name,
    words,
    window: fromWidthLevel(width, level),
  }));
  // One of them is what `auto` means for most models: it is not offered twice.
  return others.some((each) => sameWindow(each.window, auto.window)) ? others : [auto, ...others];
}

export function isCt(of: CaseFacts): boolean {
  return of.modality === "CT";
}

export function fromWidthLevel(width: number, level: number, zeroIsBlack = false): GreyWindow {
  return { low: level - width / 2, high: level + width / 2, zeroIsBlack };
}

export function widthLevel({ low, high }: GreyWindow): { width: number; level: number } {
  return { width: high - low, level: (low + high) / 2 };
}

/** What sliders of a case reach. */
export function windowReach(of: CaseFacts): {
  width: [number, number];
  level: [number, number];
  step: number;
} {
  if (isCt(of)) return { width: [1, 4000], level: [-1000, 2000], step: 1 };
  const { low, high } = of.window;
  const span = Math.max(high - low, Number.EPSILON);
  const step = span >= 100 ? 1 : span / 200;
  return { width: [step, span * 2], level: [low - span / 2, high + span / 2], step };
}

export function nextPreset(): void {
  const at = presets.value.findIndex((each) => each.name === preset.value);
  const next = presets.value[(at + 1) % presets.value.length];
  if (next !== undefined) greyWindow.value = next.window;
}

export function resetWindow({ window: { low, high, zero_is_black } }: CaseFacts): void {
  greyWindow.value = { low, high, zeroIsBlack: zero_is_black };
}

function sameWindow(a: GreyWindow, b: GreyWindow): boolean {
  return a.low === b.low && a.high === b.high;
}
