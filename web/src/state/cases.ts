/** The images that there are. */

import { computed, signal } from "@preact/signals";
import { api } from "../api/client";
import type { CaseBrief, CaseState } from "../api/types";
import { facts } from "./planes";
import { complain } from "./status";

export type StateFilter = "all" | CaseState;

export const cases = signal<CaseBrief[] | null>(null);
export const filter = signal("");
export const stateFilter = signal<StateFilter>("all");

export const counts = computed(() => {
  const found = { all: 0, new: 0, started: 0, saved: 0 };
  for (const each of cases.value ?? []) {
    found.all++;
    found[each.state]++;
  }
  return found;
});

export const listed = computed(() => filtered(cases.value ?? [], filter.value, stateFilter.value));

export function filtered(all: readonly CaseBrief[], text: string, state: StateFilter): CaseBrief[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return all.filter((each) => {
    const name = each.name.toLowerCase();
    return (state === "all" || each.state === state) && words.every((word) => name.includes(word));
  });
}

export async function loadCases(fresh = false): Promise<void> {
  try {
    cases.value = await api.cases(fresh);
  } catch (error) {
    complain(error);
  }
}

/** The case before or after the one that is open, in the list as it is filtered. */
export function neighbour(delta: 1 | -1): CaseBrief | null {
  const at = listed.value.findIndex((each) => each.id === facts.value?.id);
  return at < 0 ? (listed.value[0] ?? null) : (listed.value[at + delta] ?? null);
}
