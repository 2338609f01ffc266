/** What a click on the image does. */

import { computed, effect, signal } from "@preact/signals";
import type { PromptKind } from "../api/types";
import type { ToolName } from "../view/types";
import { model, refusalOf } from "./models";

export interface Tool {
  name: ToolName;
  words: string;
  /** What it does, for the tooltip and the status line. */
  help: string;
  /** The prompt that it gives; null where it draws or moves. */
  prompt: PromptKind | null;
}

export const TOOLS: readonly Tool[] = [
  { name: "pan", words: "Move", help: "Drag to move, click to bring the other planes here", prompt: null },
  { name: "box", words: "Box", help: "Drag a box around the object", prompt: "box" },
  {
    name: "point+",
    words: "Click inside",
    help: "Click what belongs to the object; Shift for what does not",
    prompt: "points",
  },
  {
    name: "point-",
    words: "Click outside",
    help: "Click what does not belong to the object",
    prompt: "points",
  },
  {
    name: "scribble",
    words: "Scribble",
    help: "Draw along what belongs to the object; Shift for what does not",
    prompt: "points",
  },
  { name: "brush", words: "Brush", help: "Paint by hand", prompt: null },
  { name: "eraser", words: "Eraser", help: "Erase by hand", prompt: null },
  {
    name: "lasso",
    words: "Lasso",
    help: "Draw around an area to fill it; Shift takes it away",
    prompt: null,
  },
  {
    name: "polygon",
    words: "Polygon",
    help: "Click corners, close with Enter or a double click",
    prompt: null,
  },
];

export const tool = signal<ToolName>("box");

export const current = computed(() => TOOLS.find((each) => each.name === tool.value) ?? null);

/** Why a tool cannot be used with the chosen model; null where it can. */
export function refused(each: Tool): string | null {
  return each.prompt === null ? null : refusalOf(model.value, each.prompt);
}

/** Where the model is changed to one that refuses the tool in hand, take up one that it takes. */
export function keepToolUsable(): void {
  effect(() => {
    const held = current.value;
    if (held === null || refused(held) === null) return;
    tool.value = TOOLS.find((each) => each.prompt !== null && refused(each) === null)?.name ?? "brush";
  });
}
