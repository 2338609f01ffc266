import { neighbour } from "../state/cases";
import { model } from "../state/models";
import { facts } from "../state/planes";
import { savedSeq, session, unsaved } from "../state/session";
import { connected } from "../state/status";
import { Brand } from "./Brand";
import { ActionButton } from "./Button";
import { Icon } from "./Icon";

export function Header() {
  return (
    <header class="bar">
      <Brand />
      <ActionButton action="case-list" icon="list" words="All cases" />
      <Case />
      <span class="grow" />
      <ActionButton action="undo" icon="undo" words="Undo" disabled={!session.value?.can_undo} />
      <ActionButton action="redo" icon="redo" words="Redo" disabled={!session.value?.can_redo} />
      <ActionButton
        action="history"
        icon="history"
        words="History"
        help="All that was done; any state can be brought back"
      />
      <span class="rule" />
      <ActionButton
        action="model"
        icon="model"
        words="Model"
        help="Which model answers, and what it understands"
      >
        {model.value?.title ?? "No model"}
      </ActionButton>
      <span class="rule" />
      <ActionButton
        action="save"
        icon="save"
        words="Save"
        help="Writes the label map file. Every step is kept without it, too."
        class={unsaved.value ? "primary" : ""}
      >
        {savedSeq.value !== null && !unsaved.value ? "Saved" : "Save"}
      </ActionButton>
      <ActionButton
        action="export"
        icon="export"
        words="Export"
        help="Download the masks in a format of your choice"
      >
        Export
      </ActionButton>
      <span class="rule" />
      <ActionButton action="theme" icon="theme" words="Dark or light" />
      <ActionButton action="keys" icon="keys" words="Keys" />
    </header>
  );
}

function Case() {
  const of = facts.value;
  if (of === null) return null;
  const { size_xyz, modality, modality_guessed, is_volume } = of;
  const about = [
    size_xyz.slice(0, is_volume ? 3 : 2).join(" × "),
    modality === "unknown" || modality.startsWith("8-bit") ? "" : `${modality}${modality_guessed ? "?" : ""}`,
  ];
  return (
    <div class="case">
      <ActionButton
        action="case-previous"
        icon="previous"
        words="Previous case"
        disabled={neighbour(-1) === null}
      />
      <h1 title={of.name}>
        {of.name}
        <small title={modality_guessed ? "The modality is a guess from the values" : undefined}>
          {about.filter(Boolean).join(" · ")}
        </small>
      </h1>
      <ActionButton action="case-next" icon="next" words="Next case" disabled={neighbour(1) === null} />
      {!connected.value && (
        <span class="badge bad">
          <Icon name="alert" />
          No connection
        </span>
      )}
    </div>
  );
}
