/** What a person does to the masks; each is on the server's disk before it counts, and can be undone. */

import { signal } from "@preact/signals";
import { api } from "../api/client";
import { writePatch } from "../api/patches";
import type { Axis, Box, Point, PromptGroup, Reply } from "../api/types";
import type { Drawing } from "../view/types";
import { markLoaded, model } from "./models";
import { axis, goTo, shown, slices } from "./planes";
import { act, activeLabel, asked, label, labels, masks, savedSeq, session } from "./session";
import { boxesAdd, who, zoomIn } from "./settings";
import { complain, say } from "./status";

/** The next prompt begins a new part: what the model answered before stays. */
export const beginNext = signal(false);
/** Prompts that are on their way. */
export const waiting = signal<readonly PromptGroup[]>([]);

interface Place {
  axis: Axis;
  slice: number;
}

/** A label to draw with: the active one, or the first one of the session. Null, and said why, where there is none. */
async function usableLabel(): Promise<number | null> {
  if (labels.value.length === 0 && (await addLabel()) === null) return null;
  const now = label.value;
  if (now === null) return null;
  if (now.locked) {
    say(`${now.name} is locked: unlock it in the list, or choose another label.`, "bad");
    return null;
  }
  return now.id;
}

export async function promptBox(place: Place, box: Box): Promise<void> {
  await prompt(place, box, []);
}

export async function promptPoints(place: Place, points: readonly Point[]): Promise<void> {
  await prompt(place, null, points);
}

async function prompt(place: Place, box: Box | null, points: readonly Point[]): Promise<void> {
  const id = await usableLabel();
  const info = model.value;
  if (id === null || info === null) return;
  const begin = beginNext.value || (boxesAdd.value && box !== null);
  beginNext.value = false;
  const before = begin ? undefined : groupAt(id, place);
  const group: PromptGroup = {
    ...place,
    label: id,
    box: box ?? before?.box ?? null,
    points: [...(before?.points ?? []), ...points],
    model: info.id,
    score: 0,
  };
  waiting.value = [...waiting.value, group];
  say(info.loaded ? `Asking ${info.title}…` : `Loading ${info.title}, then asking it…`, "busy");
  const started = performance.now();
  let took = 0;
  const reply = await act("prompt", async (session) => {
    const answer = await api.prompt(session, {
      ...place,
      ...asked(),
      label: id,
      points,
      begin,
      model: info.id,
      zoom: zoomIn.value ? "auto" : "off",
      ...(box === null ? {} : { box }),
    });
    took = performance.now() - started;
    return answer;
  });
  waiting.value = waiting.value.filter((each) => each !== group);
  if (reply === null) return;
  tellAnswer(reply, took);
  markLoaded(info.id);
}

function tellAnswer(reply: Reply, ms: number): void {
  const took = ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
  if (reply.changed.length === 0) say("The model answered the same as before.");
  else say(`Drawn in ${took}; kept. The model's own score: ${(reply.score ?? 0).toFixed(2)}.`, "good");
}

/** The prompts of a label on a slice. */
export function groupAt(id: number, place: Place): PromptGroup | undefined {
  return session.value?.prompts.find(
    (each) => each.label === id && each.axis === place.axis && each.slice === place.slice,
  );
}

export async function draw(place: Place, drawing: Drawing): Promise<void> {
  const id = await usableLabel();
  if (id === null) {
    masks.version.value++; // the stroke goes from the screen
    return;
  }
  const patch = { box: drawing.box, bits: drawing.bits };
  const edit = { ...place, label: id, patch, mode: drawing.mode };
  masks.draw(edit);
  const body = { ...place, label: id, box: drawing.box, mode: drawing.mode };
  const reply = await act("draw", async (session) =>
    api.draw(session, { ...asked(), ...body, data: await writePatch(patch) }),
  );
  masks.settle(edit);
  if (reply !== null) say(drawing.mode === "add" ? "Drawn; kept." : "Erased; kept.", "good");
}

export async function clearSlice(): Promise<void> {
  const id = await usableLabel();
  if (id === null) return;
  const reply = await act("clear", (session) =>
    api.clear(session, { ...asked(), ...shown.value, label: id }),
  );
  if (reply !== null) say("The label is empty on this slice.", "good");
}

export async function clearLabel(id: number): Promise<void> {
  const reply = await act("clear", (session) => api.clear(session, { ...asked(), label: id }));
  if (reply !== null) say("The label is empty.", "good");
}

export async function interpolate(range: [number, number] | null): Promise<void> {
  const id = await usableLabel();
  if (id === null) return;
  say("Filling the slices between…", "busy");
  const along = axis.value;
  const reply = await act("interpolate", (session) =>
    api.interpolate(session, { ...asked(), label: id, axis: along, ...(range === null ? {} : { range }) }),
  );
  if (reply === null) return;
  const found = reply.changed[0]?.slices[along];
  if (found === undefined) say("There was nothing to fill: no empty slice lies between two drawn ones.");
  else say(`Filled between slices ${found[0] + 1} and ${found[1]}.`, "good");
}

// -- labels ------------------------------------------------------------------------------------------

export async function addLabel(): Promise<number | null> {
  const reply = await act("labels", (session) => api.addLabel(session, asked()));
  if (!reply?.label) return null;
  activeLabel.value = reply.label.id;
  say(`Label ${reply.label.id} added.`, "good");
  return reply.label.id;
}

export async function changeLabel(
  id: number,
  change: { name?: string; colour?: string; visible?: boolean; locked?: boolean },
): Promise<void> {
  const now = session.value;
  // Shown at once; the server's word follows.
  if (now !== null) {
    const changed = now.labels.map((each) => (each.id === id ? { ...each, ...change } : each));
    session.value = { ...now, labels: changed };
  }
  await act("labels", (session) => api.changeLabel(session, id, { ...asked(), ...change }));
}

export async function removeLabel(id: number): Promise<void> {
  const reply = await act("labels", (session) => api.removeLabel(session, id));
  if (reply !== null) say("Label removed. Undo brings it back.", "good");
}

// -- back and forth ----------------------------------------------------------------------------------

export async function undo(): Promise<void> {
  if (session.value?.can_undo) await move("undo", "Undone", (id) => api.undo(id, asked()));
  else say("There is nothing to undo.");
}

export async function redo(): Promise<void> {
  if (session.value?.can_redo) await move("redo", "Done again", (id) => api.redo(id, asked()));
  else say("There is nothing to redo.");
}

export async function restore(seq: number): Promise<void> {
  await move("restore", "Brought back", (id) => api.restore(id, { ...asked(), seq }));
}

async function move(kind: string, words: string, send: (id: string) => Promise<Reply>): Promise<void> {
  const reply = await act(kind, send);
  if (reply === null) return;
  const jumped = showChange(reply);
  say(jumped === null ? `${words}.` : `${words}, on slice ${jumped + 1}.`, "good");
}

/** Go to the nearest slice that changed, where the one that is looked at did not. */
function showChange(reply: Reply): number | null {
  const at = slices.value[axis.value];
  const ranges = reply.changed.flatMap((change) => change.slices[axis.value] ?? []);
  const [first, last] = [ranges[0], ranges[1]];
  if (first === undefined || last === undefined || (first <= at && at < last)) return null;
  const nearest = at < first ? first : last - 1;
  goTo(axis.value, nearest);
  return nearest;
}

// -- files -------------------------------------------------------------------------------------------

export async function save(): Promise<void> {
  const now = session.value;
  if (now === null) return;
  say("Saving…", "busy");
  try {
    const saved = await api.save(now.id, who.value === "" ? {} : { who: who.value });
    savedSeq.value = saved.seq;
    say(`Saved: ${saved.files[0] ?? "the label map"}.`, "good");
  } catch (error) {
    complain(error);
  }
}
