/** What the page says it is doing: one line, read aloud by screen readers. */

import { computed, signal } from "@preact/signals";
import { sentence } from "../api/problems";

export type Mood = "idle" | "busy" | "good" | "bad";

export interface Status {
  text: string;
  mood: Mood;
}

export const status = signal<Status>({ text: "", mood: "idle" });
/** The pixel under the cursor, for the eye only. */
export const place = signal("");
export const connected = signal(true);

/** What the line shows: a lost connection goes before everything. */
export const line = computed<Status>(() =>
  connected.value
    ? status.value
    : {
        text: "No connection to the server. What is under way is sent when it is back; nothing new is taken until then.",
        mood: "bad",
      },
);

export function say(text: string, mood: Mood = "idle"): void {
  status.value = { text, mood };
}

export function complain(error: unknown): void {
  say(sentence(error), "bad");
}
