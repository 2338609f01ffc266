/** What is to be propagated: the choices of the panel, which the key uses as well. */

import { computed, signal } from "@preact/signals";
import { axis, facts } from "./planes";

export const strategy = signal("propagate");
export const whose = signal<"active" | "all">("active");
/** Whether it goes as far as the object reaches, or through a range that a person chose. */
export const bounded = signal(false);
const first = signal(0);
const last = signal(0);

/** First and last + 1 slice; null where the strategy decides. */
export const range = computed<[number, number] | null>(() =>
  bounded.value ? [first.value, last.value + 1] : null,
);

/** First and last slice, for the fields of the panel. */
export const ends = computed<[number, number]>(() => [first.value, last.value]);

export function setEnds(from: number, to: number): void {
  const count = facts.value?.axes[axis.value]?.slices ?? 1;
  const inside = (slice: number) => Math.min(Math.max(Math.round(slice) || 0, 0), count - 1);
  first.value = Math.min(inside(from), inside(to));
  last.value = Math.max(inside(from), inside(to));
}

/** The range begins anew with all slices: another case or plane. */
export function resetEnds(): void {
  bounded.value = false;
  setEnds(0, Number.MAX_SAFE_INTEGER);
}
