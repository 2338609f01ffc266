/** The models that are on this machine, and what the chosen one understands. */

import { computed, signal } from "@preact/signals";
import { api } from "../api/client";
import type { ModelInfo, PromptKind } from "../api/types";
import { kept } from "./kept";
import { complain } from "./status";

export const models = signal<ModelInfo[]>([]);
const chosen = kept<string | null>("model", null);

/** The one that answers: the chosen one where it is still offered, else the server's default. */
export const model = computed<ModelInfo | null>(
  () =>
    models.value.find((each) => each.id === chosen.value) ??
    models.value.find((each) => each.default) ??
    null,
);

export async function loadModels(): Promise<void> {
  try {
    models.value = await api.models();
  } catch (error) {
    complain(error);
  }
}

/** A model that has answered is in the server's memory. */
export function markLoaded(id: string): void {
  if (models.value.some((each) => each.id === id && !each.loaded)) {
    models.value = models.value.map((each) => (each.id === id ? { ...each, loaded: true } : each));
  }
}

export function choose(id: string): void {
  // The default is remembered as "none chosen", so that a server with another default is followed.
  chosen.value = models.value.find((each) => each.id === id)?.default ? null : id;
}

/** Why the model takes no prompts of a kind; null where it does. */
export function refusalOf(info: ModelInfo | null, kind: PromptKind): string | null {
  if (info === null || info.prompts.includes(kind)) return null;
  return info.refuses[kind] ?? `${info.title} does not take them`;
}
