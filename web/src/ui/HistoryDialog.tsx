import { useEffect, useState } from "preact/hooks";
import { api } from "../api/client";
import { sentence } from "../api/problems";
import type { HistoryEntry, SessionBrief } from "../api/types";
import { restore } from "../state/actions";
import { cases } from "../state/cases";
import { dialog } from "../state/dialogs";
import { facts, planeName } from "../state/planes";
import { labels, session, switchSession } from "../state/session";
import { who } from "../state/settings";
import { Dialog } from "./Dialog";

const KINDS: Record<string, string> = {
  prompt: "Prompt",
  draw: "Drawn by hand",
  propagate: "Propagated",
  interpolate: "Filled between",
  labels: "Labels changed",
  clear: "Emptied",
  undo: "Undo",
  redo: "Redo",
  restore: "Brought back",
};

/** What was done, by whom and when; any of these states can be had again. */
export function HistoryDialog() {
  const [entries, setEntries] = useState<HistoryEntry[] | null>(null);
  const [problem, tell] = useState("");
  const id = session.value?.id;
  useEffect(() => {
    if (id === undefined) return;
    allOf(id).then(setEntries, (error) => tell(sentence(error)));
  }, [id]);
  return (
    <Dialog title="History" size="middle">
      {problem !== "" && <p class="problem">{problem}</p>}
      {entries === null ? <p class="hint">Reading…</p> : <Entries entries={entries} />}
      <Name />
      <Sessions />
    </Dialog>
  );
}

async function allOf(id: string): Promise<HistoryEntry[]> {
  const found: HistoryEntry[] = [];
  for (;;) {
    const { actions } = await api.history(id, found.at(-1)?.seq ?? 0);
    found.push(...actions);
    if (actions.length === 0 || found.length >= 10_000) return found.reverse();
  }
}

function Entries({ entries }: { entries: readonly HistoryEntry[] }) {
  if (entries.length === 0) return <p class="hint">Nothing was done yet.</p>;
  const latest = entries[0]?.seq;
  const again = (seq: number) => {
    dialog.value = null;
    void restore(seq);
  };
  return (
    <div class="table-frame">
      <table class="history">
        <thead>
          <tr>
            <th scope="col">No.</th>
            <th scope="col">What</th>
            <th scope="col">Who</th>
            <th scope="col">When</th>
            <th scope="col">
              <span class="unseen">Bring back</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {entries.map((each) => (
            <tr key={each.seq} data-current={each.current}>
              <td>{each.seq}</td>
              <td>
                {KINDS[each.kind] ?? each.kind} <span class="quiet">{details(each)}</span>
              </td>
              <td>{each.who}</td>
              <td>{new Date(each.at).toLocaleString()}</td>
              <td>
                {each.seq === latest ? (
                  <span class="badge">Now</span>
                ) : (
                  <button type="button" class="button small" onClick={() => again(each.seq)}>
                    Bring back
                  </button>
                )}
              </td>
            </tr>
          ))}
          <tr>
            <td>0</td>
            <td>Beginning</td>
            <td />
            <td />
            <td>
              <button type="button" class="button small" onClick={() => again(0)}>
                Bring back
              </button>
            </td>
          </tr>
        </tbody>
      </table>
    </div>
  );
}

/** Label and slice, where the entry says them. */
function details(entry: HistoryEntry): string {
  const group = entry.group as { place?: unknown } | undefined;
  const at = (group?.place ?? entry.drawn) as [number, "x" | "y" | "z", number] | undefined;
  if (!Array.isArray(at)) return "";
  const [id, along, slice] = at;
  const name = labels.value.find((each) => each.id === id)?.name ?? `label ${id}`;
  const of = facts.value;
  return of?.is_volume ? `${name}, ${planeName(of, along)} ${slice + 1}` : name;
}

/** Who is written beside what is done from now on. */
function Name() {
  return (
    <label class="name-field">
      Your name, for the history
      <input
        type="text"
        maxLength={64}
        placeholder="unnamed"
        value={who.value}
        onChange={(event) => {
          who.value = event.currentTarget.value.trim();
        }}
      />
    </label>
  );
}

/** Others' work on the case, and this person's earlier one. */
function Sessions() {
  const now = session.value;
  const all = cases.value?.find((each) => each.id === now?.case)?.sessions ?? [];
  if (now === null) return null;
  const open = (id: string | null) => {
    dialog.value = null;
    void switchSession(id);
  };
  const others = all.filter((each) => each.id !== now.id && each.seq > 0);
  return (
    <div class="sessions">
      <h3>Sessions of this case</h3>
      <p class="hint">
        This one is by {now.who}, begun {new Date(now.created).toLocaleString()}. All sessions are kept.
      </p>
      {others.map((each: SessionBrief) => (
        <button type="button" class="button small" key={each.id} onClick={() => open(each.id)}>
          {each.who}, {new Date(each.created).toLocaleString()}, {each.seq} actions
        </button>
      ))}
      <button type="button" class="button small" onClick={() => open(null)}>
        Begin a new one
      </button>
    </div>
  );
}
