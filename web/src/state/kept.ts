/** What this browser remembers: choices of a person, never images or masks. */

import { effect, type Signal, signal } from "@preact/signals";

const PREFIX = "anytomy.";

/** A signal whose value outlives the page. */
export function kept<T>(name: string, otherwise: T): Signal<T> {
  const value = signal<T>(recall(name, otherwise));
  effect(() => remember(name, value.value));
  return value;
}

export function recall<T>(name: string, otherwise: T): T {
  try {
    const text = localStorage.getItem(PREFIX + name);
    return text === null ? otherwise : (JSON.parse(text) as T);
  } catch {
    return otherwise; // storage may be switched off, or hold what an older page wrote
  }
}

export function remember(name: string, value: unknown): void {
  try {
    localStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // The page works without.
  }
}
