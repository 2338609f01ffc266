import { render } from "preact";
import { actionOf } from "./keys";
import { loadCases } from "./state/cases";
import { isPossible, run } from "./state/commands";
import { watchConnection } from "./state/connection";
import { dialog } from "./state/dialogs";
import { loadModels } from "./state/models";
import { closeCase, keepFresh, openCase, pending, session } from "./state/session";
import { followTheme, singleKeys } from "./state/settings";
import { keepToolUsable } from "./state/tools";
import { App } from "./ui/App";
import "./ui/styles/colours.css";
import "./ui/styles/base.css";
import "./ui/styles/controls.css";
import "./ui/styles/cases.css";
import "./ui/styles/editor.css";
import "./ui/styles/dialogs.css";

/** Whether a key press belongs to what is being filled in. */
function isTyping(target: EventTarget | null): boolean {
  if (target instanceof HTMLInputElement) {
    return !["checkbox", "radio", "button", "color", "range"].includes(target.type);
  }
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
}

function onKey(event: KeyboardEvent): void {
  const action = actionOf(event);
  if (action === null || event.defaultPrevented || dialog.value !== null || !isPossible(action)) return;
  const withCtrl = event.ctrlKey || event.metaKey;
  if (!withCtrl && (isTyping(event.target) || !singleKeys.value)) return;
  // A slider moves with these keys.
  const isSlider = event.target instanceof HTMLInputElement && event.target.type === "range";
  if (isSlider && ["Home", "End", "PageUp", "PageDown"].includes(event.key)) return;
  event.preventDefault();
  run(action);
}

async function begin(): Promise<void> {
  followTheme();
  keepToolUsable();
  watchConnection();
  keepFresh();
  addEventListener("keydown", onKey);
  addEventListener("beforeunload", (event) => {
    if (pending.value > 0) event.preventDefault(); // what is on its way is not kept yet
  });
  addEventListener("hashchange", () => {
    const wanted = location.hash.slice(1);
    if (wanted === "") closeCase();
    else if (wanted !== session.value?.case) void openCase(wanted);
  });
  render(<App />, document.getElementById("page") as HTMLElement);
  void loadModels();
  await loadCases();
  const left = location.hash.slice(1);
  if (/^[0-9a-f]{16}$/.test(left)) await openCase(left);
}

void begin();
