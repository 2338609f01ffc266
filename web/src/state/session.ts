/** The session that is open: what the server says of it is the truth. */

import { batch, computed, effect, signal } from "@preact/signals";
import { api } from "../api/client";
import { isGone } from "../api/problems";
import type { CaseBrief, Label, Reply, SessionState } from "../api/types";
import { cases, loadCases } from "./cases";
import { untilBack } from "./connection";
import { recall, remember } from "./kept";
import { Masks } from "./masks";
import { model } from "./models";
import { enter, facts, leave, shown } from "./planes";
import { ActionQueue } from "./queue";
import { who } from "./settings";
import { complain, connected, place, say } from "./status";
import { resetWindow } from "./windowing";

export const session = signal<SessionState | null>(null);
/** The action that the saved label map shows. */
export const savedSeq = signal<number | null>(null);
/** The label that prompts and drawings go to. */
export const activeLabel = signal(1);
/** The case that is being opened. */
export const opening = signal<string | null>(null);
/** The case that was open last: the list begins there. */
export const lastCase = signal<string | null>(null);
/** Actions that are not answered yet. */
export const pending = signal(0);

export const labels = computed<Label[]>(() => session.value?.labels ?? []);
export const label = computed(() => labels.value.find((each) => each.id === activeLabel.value) ?? null);
/** Whether the saved file shows less than what was done. */
export const unsaved = computed(
  () => session.value !== null && session.value.seq > 0 && session.value.seq !== savedSeq.value,
);

export const masks = new Masks(async (where) => {
  const now = session.value;
  if (now === null) throw new Error("no case is open");
  return api.masks(now.id, where);
});

const queue = new ActionQueue({ untilBack });

/** Open a case and go on where it was left. */
export async function openCase(id: string): Promise<void> {
  opening.value = id;
  say("Opening…", "busy");
  try {
    // Both at once: the picture must not wait for the session.
    const [found, state] = await Promise.all([api.caseFacts(id), resume(id)]);
    if (opening.value !== id) return; // another one was chosen meanwhile
    batch(() => {
      session.value = state;
      savedSeq.value = savedOf(id, state.id);
      activeLabel.value = state.labels[0]?.id ?? 1;
      masks.reset();
      enter(found);
      resetWindow(found);
    });
    location.hash = id;
    say(state.seq > 0 ? "Opened. All that was done before is here." : "Opened.", "good");
  } catch (error) {
    complain(error);
  } finally {
    if (opening.value === id) opening.value = null;
  }
}

export function closeCase(): void {
  batch(() => {
    lastCase.value = facts.peek()?.id ?? null;
    session.value = null;
    leave();
  });
  say("");
  place.value = "";
  if (location.hash !== "") history.replaceState(null, "", location.pathname);
  void loadCases();
}

/** Open another session of the case, or a new one. */
export async function switchSession(id: string | null): Promise<void> {
  const now = session.value;
  if (now === null) return;
  try {
    const state = id === null ? await api.begin(beginning(now.case)) : await api.session(id);
    remember(sessionName(state.case), state.id);
    batch(() => {
      session.value = state;
      savedSeq.value = savedOf(state.case, state.id);
      activeLabel.value = state.labels[0]?.id ?? 1;
      masks.reset();
    });
    await loadCases();
  } catch (error) {
    complain(error);
  }
}

/** The session of the case that this browser had last, else one of the same person, else a new one. */
async function resume(caseId: string): Promise<SessionState> {
  if (cases.value === null) await loadCases();
  const brief = cases.value?.find((each) => each.id === caseId);
  const mine = brief?.sessions.filter((each) => each.who === (who.value || "unnamed")).at(-1)?.id;
  for (const id of [recall<string | null>(sessionName(caseId), null), mine]) {
    if (!id) continue;
    try {
      const state = await api.session(id);
      if (state.case === caseId) return state;
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }
  const state = await api.begin(beginning(caseId));
  remember(sessionName(caseId), state.id);
  return state;
}

function beginning(caseId: string): { case: string; model?: string; who?: string } {
  return {
    case: caseId,
    ...(model.value === null ? {} : { model: model.value.id }),
    ...(who.value === "" ? {} : { who: who.value }),
  };
}

function sessionName(caseId: string): string {
  return `session.${caseId}`;
}

function savedOf(caseId: string, sessionId: string): number | null {
  const brief: CaseBrief | undefined = cases.value?.find((each) => each.id === caseId);
  return brief?.sessions.find((each) => each.id === sessionId)?.saved || null; // 0: never saved
}

/** What every action says besides itself. */
export function asked(): { who?: string; show: { axis: "x" | "y" | "z"; slice: number } } {
  return { show: shown.value, ...(who.value === "" ? {} : { who: who.value }) };
}

/**
 * Do something that changes the session, after all that was asked before.
 *
 * @param kind What the history calls it, by which it is found again where its answer is lost.
 * @returns The answer; null where it was refused, or done while its answer was lost. Says so itself.
 */
export async function act(kind: string, send: (id: string) => Promise<Reply>): Promise<Reply | null> {
  const now = session.value;
  if (now === null) return null;
  if (!connected.value) {
    say("Not done: there is no connection to the server.", "bad");
    return null;
  }
  const { id } = now;
  let before = now.seq;
  pending.value++;
  try {
    const reply = await queue.add({
      send: async () => {
        before = seqOf(id) ?? before;
        const answer = await send(id);
        await take(id, answer);
        return answer;
      },
      wasDone: async () => (await api.history(id, before)).actions.some((each) => each.kind === kind),
    });
    await refresh(id);
    if (reply === null) say("The server is back; the last action had been done and is kept.", "good");
    return reply;
  } catch (error) {
    complain(error);
    return null;
  } finally {
    pending.value--;
  }
}

/** Take over what an action of this session changed. */
export async function take(id: string, reply: Reply): Promise<void> {
  const now = session.value;
  if (now?.id !== id) return;
  session.value = { ...now, seq: reply.seq, can_undo: reply.can_undo, can_redo: reply.can_redo };
  await masks.apply(reply.changed, reply.shown);
}

/** Labels and prompts as the server has them. */
export async function refresh(id: string): Promise<void> {
  const state = await api.session(id);
  const now = session.value;
  // One that was overtaken by a later answer says less than we know.
  if (now?.id !== id || state.seq < now.seq) return;
  batch(() => {
    // What somebody did elsewhere did not say which masks it changed.
    if (state.seq > now.seq) masks.reset();
    session.value = state;
    if (!state.labels.some((each) => each.id === activeLabel.value)) {
      activeLabel.value = state.labels[0]?.id ?? 1;
    }
  });
}

/** Look again at what the server has whenever it may have changed without us. */
export function keepFresh(): void {
  const look = () => {
    const id = session.peek()?.id;
    if (id !== undefined && pending.peek() === 0) refresh(id).catch(() => undefined);
  };
  let wasConnected = true;
  effect(() => {
    if (connected.value && !wasConnected) {
      look();
      masks.version.value = masks.version.peek() + 1; // slices whose masks could not be had are asked for again
    }
    wasConnected = connected.value;
  });
  addEventListener("focus", look);
}

function seqOf(id: string): number | null {
  return session.value?.id === id ? session.value.seq : null;
}
