import { useEffect, useRef, useState } from "preact/hooks";
import { thumbnailUrl, upload } from "../api/client";
import type { CaseBrief, CaseState } from "../api/types";
import { cases, counts, filter, listed, loadCases, type StateFilter, stateFilter } from "../state/cases";
import { lastCase, openCase, opening } from "../state/session";
import { complain, say } from "../state/status";
import { Brand } from "./Brand";
import { ActionButton } from "./Button";
import { Icon, type IconName } from "./Icon";
import { roving } from "./roving";

const STATES: Record<CaseState, { words: string; icon: IconName }> = {
  new: { words: "New", icon: "ring" },
  started: { words: "Started", icon: "dot" },
  saved: { words: "Saved", icon: "check" },
};
const FILTERS: readonly StateFilter[] = ["all", "new", "started", "saved"];

export function CaseList() {
  return (
    <div class="cases-page">
      <header class="bar">
        <Brand />
        <Search />
        <Filters />
        <span class="grow" />
        <Upload />
        <button
          type="button"
          class="button icon-only"
          aria-label="Look for new images"
          data-tip="Look for new images"
          data-side="below"
          onClick={() => loadCases(true)}
        >
          <Icon name="refresh" />
        </button>
        <ActionButton action="theme" icon="theme" words="Dark or light" />
        <ActionButton action="keys" icon="keys" words="Keys" />
      </header>
      <main class="cases">
        <h1 class="unseen">Cases</h1>
        <Cards />
      </main>
    </div>
  );
}

function Cards() {
  if (cases.value === null) return <p class="empty">Reading the list of images…</p>;
  if (cases.value.length === 0) {
    return <p class="empty">There is no image below the paths that this server was started with.</p>;
  }
  if (listed.value.length === 0) return <p class="empty">No case matches.</p>;
  const first = Math.max(
    listed.value.findIndex((each) => each.id === lastCase.value),
    0,
  );
  return (
    <div class="cards" role="listbox" aria-label="Cases" onKeyDown={roving("[role=option]", "grid")}>
      {listed.value.map((each, i) => (
        <Card key={each.id} case={each} first={i === first} />
      ))}
    </div>
  );
}

function Card({ case: each, first }: { case: CaseBrief; first: boolean }) {
  const { words, icon } = STATES[each.state];
  const open = () => void openCase(each.id);
  const card = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // Back from a case, one is where one was.
    if (each.id === lastCase.peek()) card.current?.focus();
  }, [each.id]);
  return (
    <div
      ref={card}
      class="card"
      role="option"
      aria-selected={opening.value === each.id}
      aria-label={`${each.name}, ${words.toLowerCase()}`}
      tabIndex={first ? 0 : -1}
      data-case={each.id}
      onClick={open}
      onKeyDown={(event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        open();
      }}
    >
      <span class="thumbnail">
        <Thumbnail id={each.id} />
        {opening.value === each.id && <span class="spinner" aria-hidden="true" />}
      </span>
      <span class="card-name" title={each.name}>
        {each.name}
      </span>
      <span class="state" data-state={each.state}>
        <Icon name={icon} />
        {words}
      </span>
    </div>
  );
}

function Thumbnail({ id }: { id: string }) {
  const [broken, setBroken] = useState(false);
  if (broken) return <>No preview</>;
  return (
    <img src={thumbnailUrl(id)} alt="" loading="lazy" decoding="async" onError={() => setBroken(true)} />
  );
}

function Search() {
  return (
    <label class="search">
      <Icon name="search" />
      <span class="unseen">Filter by name</span>
      <input
        type="search"
        placeholder="Filter by name"
        value={filter.value}
        onInput={(event) => {
          filter.value = event.currentTarget.value;
        }}
      />
    </label>
  );
}

function Filters() {
  return (
    <div class="segments" role="group" aria-label="Show">
      {FILTERS.map((each) => (
        <button
          key={each}
          type="button"
          aria-pressed={stateFilter.value === each}
          onClick={() => {
            stateFilter.value = each;
          }}
        >
          {each === "all" ? "All" : STATES[each].words} <span class="count">{counts.value[each]}</span>
        </button>
      ))}
    </div>
  );
}

function Upload() {
  const input = useRef<HTMLInputElement>(null);
  const send = async (file: File | undefined) => {
    if (file === undefined) return;
    say("Sending the image…", "busy");
    try {
      const { case: id } = await upload(file);
      await loadCases(true);
      await openCase(id);
    } catch (error) {
      complain(error);
    }
  };
  return (
    <>
      <button type="button" class="button" onClick={() => input.current?.click()}>
        <Icon name="upload" />
        Add an image
      </button>
      <input
        ref={input}
        type="file"
        hidden
        aria-label="Image file"
        onChange={(event) => {
          void send(event.currentTarget.files?.[0]);
          event.currentTarget.value = "";
        }}
      />
    </>
  );
}
