/** Propagation: one at a time for a session, followed until it is over, also after a reload. */

import { computed, signal } from "@preact/signals";
import { api, jobEventsUrl } from "../api/client";
import { isGone } from "../api/problems";
import type { Job } from "../api/types";
import { recall, remember } from "./kept";
import { model } from "./models";
import { axis } from "./planes";
import { asked, refresh, session, take } from "./session";
import { complain, say } from "./status";

export interface Strategy {
  name: string;
  words: string;
  help: string;
}

export const STRATEGIES: readonly Strategy[] = [
  {
    name: "propagate",
    words: "Propagate",
    help: "From the prompted slices outwards; stops where the object ends",
  },
  { name: "triplanar", words: "Three planes", help: "The same in three planes, fused: slower, smoother" },
  { name: "slices", words: "Slice by slice", help: "Every slice by itself with the nearest prompt" },
  { name: "authors", words: "Authors' rule", help: "LiteMedSAM's own rule: the box of the neighbour's mask" },
];

export const job = signal<Job | null>(null);
export const running = computed(() => job.value !== null && !isOver(job.value));

export function isOver(each: Job): boolean {
  return each.state !== "waiting" && each.state !== "running";
}

export interface Wish {
  labels: number[] | null;
  range: [number, number] | null;
  strategy: string;
}

export async function propagate(wish: Wish): Promise<void> {
  const now = session.value;
  if (now === null || running.value) return;
  say("Starting to propagate…", "busy");
  try {
    const started = await api.propagate(now.id, {
      ...asked(),
      axis: axis.value,
      volume: wish.strategy,
      ...(model.value === null ? {} : { model: model.value.id }),
      ...(wish.labels === null ? {} : { labels: wish.labels }),
      ...(wish.range === null ? {} : { range: wish.range }),
    });
    follow(started);
  } catch (error) {
    complain(error);
  }
}

/** Stop before the next slice. */
export async function stop(keep: boolean): Promise<void> {
  const now = job.value;
  if (now === null || isOver(now)) return;
  say(keep ? "Stopping; what is done is kept…" : "Stopping; nothing of it is kept…", "busy");
  try {
    await api.stop(now.id, keep);
  } catch (error) {
    complain(error);
  }
}

/** Go on to follow what ran when the page was left. */
export async function followAgain(sessionId: string): Promise<void> {
  job.value = null;
  const id = recall<string | null>(jobName(sessionId), null);
  if (id === null) return;
  try {
    const found = await api.job(id);
    if (isOver(found)) remember(jobName(sessionId), null);
    else follow(found);
  } catch (error) {
    remember(jobName(sessionId), null);
    if (!isGone(error)) complain(error);
  }
}

function follow(started: Job): void {
  job.value = started;
  remember(jobName(started.session), started.id);
  const events = new EventSource(jobEventsUrl(started.id));
  events.addEventListener("progress", (event) => {
    const told = JSON.parse(event.data) as Job;
    if (isOver(told))
      events.close(); // else the browser would ask again
    else if (told.state === "running" && job.value?.state === "waiting") say("Propagating…", "busy");
    void took(told);
  });
  events.onerror = () => {
    // The browser connects again by itself, but not after a refusal: the server was started anew.
    if (events.readyState === EventSource.CLOSED) void lost(started);
  };
}

async function took(told: Job): Promise<void> {
  if (session.value?.id === told.session) job.value = told;
  if (!isOver(told)) return;
  remember(jobName(told.session), null);
  if (told.reply !== null) await take(told.session, told.reply);
  tell(told);
  if (session.value?.id === told.session) await refresh(told.session).catch(complain);
}

function tell(told: Job): void {
  if (told.state === "failed") {
    const { message, hint } = told.error ?? { message: "the propagation failed", hint: null };
    say(`${message}${hint ? `: ${hint}` : ""}`, "bad");
  } else if (told.state === "cancelled") {
    say(
      told.reply === null ? "Stopped; nothing was changed." : "Stopped; what was done is drawn and kept.",
      "good",
    );
  } else {
    say(`Propagated through ${told.done} slices; kept.`, "good");
  }
}

async function lost(started: Job): Promise<void> {
  try {
    follow(await api.job(started.id));
  } catch (error) {
    remember(jobName(started.session), null);
    if (job.value?.id === started.id) job.value = null;
    if (isGone(error)) say("The propagation ended with the server. Start it again.", "bad");
    else complain(error);
  }
}

function jobName(sessionId: string): string {
  return `job.${sessionId}`;
}
