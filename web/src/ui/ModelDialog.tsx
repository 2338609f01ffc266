import type { ModelInfo, PromptKind } from "../api/types";
import { choose, model, models } from "../state/models";
import { Dialog } from "./Dialog";
import { Icon } from "./Icon";

const KINDS: readonly [PromptKind, string][] = [
  ["box", "Boxes"],
  ["points", "Clicks and scribbles"],
];

/** Which model answers, what each understands, and why not. */
export function ModelDialog() {
  return (
    <Dialog title="Model">
      {models.value.length === 0 && <p class="hint">The server offers no model.</p>}
      <div class="models" role="radiogroup" aria-label="Model">
        {models.value.map((each) => (
          <ModelCard key={each.id} info={each} />
        ))}
      </div>
      <p class="hint">
        Models that are not on this machine are not offered: <code>anytomy models fetch NAME</code> brings
        one.
      </p>
    </Dialog>
  );
}

function ModelCard({ info }: { info: ModelInfo }) {
  return (
    <label class="model-card">
      <input
        type="radio"
        name="model"
        checked={model.value?.id === info.id}
        onChange={() => choose(info.id)}
      />
      <span class="model-about">
        <span class="model-name">
          <b>{info.title}</b> <code>{info.id}</code>
          {info.default && <span class="badge">Default</span>}
        </span>
        <span class="model-summary">{info.summary}</span>
        {KINDS.map(([kind, words]) => (
          <Understands
            key={kind}
            words={words}
            why={info.prompts.includes(kind) ? null : (info.refuses[kind] ?? "")}
          />
        ))}
        <span class="model-licence">Licence: {info.licence}</span>
      </span>
    </label>
  );
}

function Understands({ words, why }: { words: string; why: string | null }) {
  return (
    <span class="understands" data-yes={why === null}>
      <Icon name={why === null ? "check" : "close"} />
      {why === null ? words : `No ${words.toLowerCase()}: ${why}`}
    </span>
  );
}
