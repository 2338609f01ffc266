import { signal } from "@preact/signals";

export type DialogName = "keys" | "history" | "export" | "model";

/** The dialog that is open. */
export const dialog = signal<DialogName | null>(null);
