/** Whether the server answers; asked now and then, and often while it does not. */

import { api } from "../api/client";
import { UnreachableError } from "../api/problems";
import { connected, say } from "./status";

const EVERY_MS = 5_000;
const WHILE_LOST_MS = 1_000;
let waiting: (() => void)[] = [];
let timer: ReturnType<typeof setTimeout> | undefined;

export function watchConnection(): void {
  clearTimeout(timer);
  timer = setTimeout(beat, connected.value ? EVERY_MS : WHILE_LOST_MS);
}

/** Resolves when the server answers again. */
export function untilBack(): Promise<void> {
  connected.value = false;
  watchConnection();
  return new Promise((resolve) => waiting.push(resolve));
}

async function beat(): Promise<void> {
  try {
    await api.health();
    if (!connected.value) {
      connected.value = true;
      say("The server is back.", "good");
    }
    const back = waiting;
    waiting = [];
    for (const resolve of back) resolve();
  } catch (error) {
    // A refusal is an answer, too.
    connected.value = !(error instanceof UnreachableError);
  }
  watchConnection();
}
