/** What each key and button does. */

import type { ActionName } from "../keys";
import type { ToolName } from "../view/types";
import { addLabel, beginNext, changeLabel, clearSlice, interpolate, redo, save, undo } from "./actions";
import { neighbour } from "./cases";
import { dialog } from "./dialogs";
import { propagate, running, stop } from "./jobs";
import { axesOf, axis, facts, goTo, layout, scroll } from "./planes";
import { range, strategy, whose } from "./propagation";
import { activeLabel, closeCase, label, labels, openCase, session } from "./session";
import { brushRadius, contours, promptsShown, setBrushRadius, theme } from "./settings";
import { controls, masksHidden } from "./stage";
import { say } from "./status";
import { current, refused, TOOLS, tool } from "./tools";
import { nextPreset } from "./windowing";

type Command = () => unknown;

const ZOOM_STEP = 1.25;

const commands: Record<ActionName, Command> = {
  "tool:pan": () => takeUp("pan"),
  "tool:box": () => takeUp("box"),
  "tool:point+": () => takeUp("point+"),
  "tool:point-": () => takeUp("point-"),
  "tool:scribble": () => takeUp("scribble"),
  "tool:brush": () => takeUp("brush"),
  "tool:eraser": () => takeUp("eraser"),
  "tool:lasso": () => takeUp("lasso"),
  "tool:polygon": () => takeUp("polygon"),
  "brush-smaller": () => resizeBrush(1 / 1.25),
  "brush-larger": () => resizeBrush(1.25),
  "keep-part": keepPart,
  "clear-slice": clearSlice,
  undo,
  redo,
  "label:1": () => select(1),
  "label:2": () => select(2),
  "label:3": () => select(3),
  "label:4": () => select(4),
  "label:5": () => select(5),
  "label:6": () => select(6),
  "label:7": () => select(7),
  "label:8": () => select(8),
  "label:9": () => select(9),
  "label-add": addLabel,
  "label-visible": () => label.value && changeLabel(label.value.id, { visible: !label.value.visible }),
  "label-locked": () => label.value && changeLabel(label.value.id, { locked: !label.value.locked }),
  "slice-next": () => scroll(axis.value, 1),
  "slice-previous": () => scroll(axis.value, -1),
  "slice-next-10": () => scroll(axis.value, 10),
  "slice-previous-10": () => scroll(axis.value, -10),
  "slice-first": () => goTo(axis.value, 0),
  "slice-last": () => goTo(axis.value, Number.MAX_SAFE_INTEGER),
  "plane-next": nextPlane,
  layout: switchLayout,
  propagate: startPropagation,
  "propagate-keep": () => stop(true),
  interpolate: () => onlyVolumes(() => interpolate(range.value)),
  "window-next": nextPreset,
  "masks-shown": () => {
    masksHidden.value = !masksHidden.value;
    say(masksHidden.value ? "All masks are hidden; M shows them." : "Masks are shown.");
  },
  contours: () => {
    contours.value = !contours.value;
  },
  "prompts-shown": () => {
    promptsShown.value = !promptsShown.value;
  },
  "zoom-in": () => controls.value?.zoomBy(ZOOM_STEP),
  "zoom-out": () => controls.value?.zoomBy(1 / ZOOM_STEP),
  fit: () => controls.value?.fit(),
  save,
  export: () => {
    dialog.value = "export";
  },
  history: () => {
    dialog.value = "history";
  },
  model: () => {
    dialog.value = "model";
  },
  "case-next": () => openNeighbour(1),
  "case-previous": () => openNeighbour(-1),
  "case-list": closeCase,
  theme: () => {
    theme.value = document.documentElement.dataset.theme === "light" ? "dark" : "light";
  },
  keys: () => {
    dialog.value = "keys";
  },
};

/** Those that mean something while no case is open. */
const ALWAYS: readonly ActionName[] = ["keys", "theme"];

export function isPossible(action: ActionName): boolean {
  return session.value !== null || ALWAYS.includes(action);
}

export function run(action: ActionName): void {
  if (isPossible(action)) void commands[action]();
}

function takeUp(name: ToolName): void {
  const wanted = TOOLS.find((each) => each.name === name);
  if (wanted === undefined) return;
  const why = refused(wanted);
  if (why !== null) {
    say(`${wanted.words} cannot be used: ${why}.`);
    return;
  }
  tool.value = name;
  say(`${wanted.words}: ${current.value?.help ?? ""}.`);
}

function resizeBrush(factor: number): void {
  const radius = brushRadius.value;
  setBrushRadius(factor > 1 ? Math.max(radius + 1, radius * factor) : Math.min(radius - 1, radius * factor));
  say(`Brush radius ${brushRadius.value} pixels.`);
}

function keepPart(): void {
  beginNext.value = !beginNext.value;
  say(
    beginNext.value
      ? "What is drawn is kept: the next box or click begins a further part of the label."
      : "The next box or click corrects this part.",
  );
}

function select(id: number): void {
  const chosen = labels.value.find((each) => each.id === id);
  if (chosen === undefined) {
    say(`There is no label ${id}; N adds one.`);
    return;
  }
  activeLabel.value = id;
  say(`Label ${id}, ${chosen.name}${chosen.locked ? ", locked" : ""}.`);
}

function onlyVolumes(then: Command): void {
  if (facts.value?.is_volume) void then();
  else say("This is a single picture: it has no other slices.");
}

function nextPlane(): void {
  onlyVolumes(() => {
    const of = facts.value;
    if (of === null) return;
    const axes = axesOf(of);
    axis.value = axes[(axes.indexOf(axis.value) + 1) % axes.length] ?? axis.value;
  });
}

function switchLayout(): void {
  onlyVolumes(() => {
    layout.value = layout.value === "one" ? "four" : "one";
  });
}

function startPropagation(): void {
  onlyVolumes(() => {
    if (running.value) say("It is propagating already.");
    else {
      const mine = whose.value === "active" ? [activeLabel.value] : null;
      void propagate({ labels: mine, range: range.value, strategy: strategy.value });
    }
  });
}

function openNeighbour(delta: 1 | -1): void {
  const next = neighbour(delta);
  if (next === null)
    say(delta > 0 ? "This is the last case of the list." : "This is the first case of the list.");
  else void openCase(next.id);
}
