import { useState } from "preact/hooks";
import type { Label } from "../api/types";
import { changeLabel, clearLabel, removeLabel } from "../state/actions";
import { activeLabel, labels } from "../state/session";
import { dashOf } from "../view/dashes";
import { ActionButton } from "./Button";
import { Icon } from "./Icon";
import { roving } from "./roving";

export function LabelPanel() {
  return (
    <section class="panel labels" aria-labelledby="labels-title">
      <header>
        <h2 id="labels-title">Labels</h2>
        <ActionButton action="label-add" icon="add" words="New label" />
      </header>
      {labels.value.length === 0 ? (
        <p class="hint">
          Draw a box around what you want: the first label is made for it. Or add labels before, and name
          them.
        </p>
      ) : (
        <div
          class="label-rows"
          role="radiogroup"
          aria-label="Label that is drawn"
          onKeyDown={roving("[role=radio]", "column")}
        >
          {labels.value.map((each) => (
            <LabelRow key={each.id} label={each} />
          ))}
        </div>
      )}
    </section>
  );
}

function LabelRow({ label }: { label: Label }) {
  const [renaming, rename] = useState(false);
  const active = activeLabel.value === label.id;
  const choose = () => {
    activeLabel.value = label.id;
  };
  return (
    <div class="label-row" data-active={active} data-label={label.id}>
      <Colour label={label} />
      {renaming ? (
        <NameField label={label} done={() => rename(false)} />
      ) : (
        <button
          type="button"
          class="label-name"
          role="radio"
          aria-checked={active}
          aria-label={`${label.name}, label ${label.id}${label.locked ? ", locked" : ""}`}
          tabIndex={active ? 0 : -1}
          title={`${label.name}: ${label.voxels.toLocaleString()} ${label.voxels === 1 ? "voxel" : "voxels"}; double click or F2 renames`}
          onClick={choose}
          onFocus={choose}
          onDblClick={() => rename(true)}
          onKeyDown={(event) => {
            if (event.key !== "F2") return;
            event.preventDefault();
            rename(true);
          }}
        >
          <span class="name">{label.name}</span>
        </button>
      )}
      <Toggle
        on={label.visible}
        icons={["visible", "hidden"]}
        words={label.visible ? `Hide ${label.name}` : `Show ${label.name}`}
        onClick={() => changeLabel(label.id, { visible: !label.visible })}
      />
      <Toggle
        on={!label.locked}
        icons={["unlocked", "locked"]}
        words={label.locked ? `Unlock ${label.name}` : `Lock ${label.name}`}
        onClick={() => changeLabel(label.id, { locked: !label.locked })}
      />
      <Menu label={label} rename={() => rename(true)} />
    </div>
  );
}

/** Its colour, with its number and the pattern of its outline: nobody needs to tell colours apart. */
function Colour({ label }: { label: Label }) {
  return (
    <label class="swatch" data-tip="Colour" data-side="below">
      <span class="unseen">Colour of {label.name}</span>
      <input
        type="color"
        value={label.colour}
        onChange={(event) => changeLabel(label.id, { colour: event.currentTarget.value.toLowerCase() })}
      />
      <svg viewBox="0 0 26 26" aria-hidden="true">
        <rect class="swatch-area" x="2" y="2" width="22" height="22" rx="5" style={{ fill: label.colour }} />
        <rect
          class="swatch-edge"
          x="2"
          y="2"
          width="22"
          height="22"
          rx="5"
          style={{ stroke: label.colour }}
          stroke-dasharray={dashOf(label.id)
            .map((n) => n / 1.6)
            .join(" ")}
        />
        <text x="13" y="17.500">
          {label.id}
        </text>
      </svg>
    </label>
  );
}

function NameField({ label, done }: { label: Label; done: () => void }) {
  const finish = (name: string) => {
    const trimmed = name.trim();
    if (trimmed !== "" && trimmed !== label.name) void changeLabel(label.id, { name: trimmed });
    done();
  };
  return (
    <input
      class="label-field"
      type="text"
      maxLength={64}
      defaultValue={label.name}
      aria-label={`Name of label ${label.id}`}
      ref={(field) => field?.select()}
      onBlur={(event) => finish(event.currentTarget.value)}
      onKeyDown={(event) => {
        event.stopPropagation();
        if (event.key === "Enter") finish(event.currentTarget.value);
        if (event.key === "Escape") done();
      }}
    />
  );
}

interface ToggleProps {
  on: boolean;
  icons: ["visible", "hidden"] | ["unlocked", "locked"];
  words: string;
  onClick: () => void;
}

function Toggle({ on, icons, words, onClick }: ToggleProps) {
  return (
    <button
      type="button"
      class="button icon-only small"
      data-on={on}
      aria-label={words}
      data-tip={words}
      data-side="below-left"
      onClick={onClick}
    >
      <Icon name={icons[on ? 0 : 1]} />
    </button>
  );
}

function Menu({ label, rename }: { label: Label; rename: () => void }) {
  const id = `label-menu-${label.id}`;
  const choose = (what: () => unknown) => () => {
    document.getElementById(id)?.hidePopover();
    void what();
  };
  return (
    <>
      <button
        type="button"
        class="button icon-only small"
        aria-label={`More of ${label.name}`}
        popoverTarget={id}
        onClick={(event) => placeMenu(id, event.currentTarget)}
      >
        <Icon name="more" />
      </button>
      <div id={id} popover="auto" class="menu" role="menu" onKeyDown={roving("button", "column")}>
        <button type="button" role="menuitem" onClick={choose(rename)}>
          Rename
        </button>
        <button
          type="button"
          role="menuitem"
          disabled={label.locked || label.voxels === 0}
          onClick={choose(() => clearLabel(label.id))}
        >
          Empty it on all slices
        </button>
        <button
          type="button"
          role="menuitem"
          disabled={label.locked}
          onClick={choose(() => removeLabel(label.id))}
        >
          Remove
        </button>
      </div>
    </>
  );
}

/** Under its button, as far right as it: not all browsers can anchor one element to another. */
function placeMenu(id: string, button: HTMLElement): void {
  const menu = document.getElementById(id);
  if (menu === null) return;
  const { bottom, right } = button.getBoundingClientRect();
  menu.style.top = `${bottom + 4}px`;
  menu.style.right = `${document.documentElement.clientWidth - right}px`;
}
