/** The one table of keys: what `?` lists, what tooltips say, and what a key press looks up. */

export const ACTIONS = [
  "tool:pan",
  "tool:box",
  "tool:point+",
  "tool:point-",
  "tool:scribble",
  "tool:brush",
  "tool:eraser",
  "tool:lasso",
  "tool:polygon",
  "brush-smaller",
  "brush-larger",
  "keep-part",
  "clear-slice",
  "undo",
  "redo",
  "label:1",
  "label:2",
  "label:3",
  "label:4",
  "label:5",
  "label:6",
  "label:7",
  "label:8",
  "label:9",
  "label-add",
  "label-visible",
  "label-locked",
  "slice-next",
  "slice-previous",
  "slice-next-10",
  "slice-previous-10",
  "slice-first",
  "slice-last",
  "plane-next",
  "layout",
  "propagate",
  "propagate-keep",
  "interpolate",
  "window-next",
  "masks-shown",
  "contours",
  "prompts-shown",
  "zoom-in",
  "zoom-out",
  "fit",
  "save",
  "export",
  "history",
  "model",
  "case-next",
  "case-previous",
  "case-list",
  "theme",
  "keys",
] as const;

export type ActionName = (typeof ACTIONS)[number];
export type Group = "Prompts and tools" | "Labels" | "Slices and planes" | "Picture" | "Work";

export interface Key {
  /** As people read it: `Ctrl+Shift+Z`; Ctrl is Command on a Mac. */
  key: string;
  action: ActionName;
  words: string;
  group: Group;
}

const DIGITS = [1, 2, 3, 4, 5, 6, 7, 8, 9] as const;

export const KEYS: readonly Key[] = [
  { key: "B", action: "tool:box", words: "Box", group: "Prompts and tools" },
  { key: "P", action: "tool:point+", words: "Click inside", group: "Prompts and tools" },
  { key: "O", action: "tool:point-", words: "Click outside", group: "Prompts and tools" },
  { key: "S", action: "tool:scribble", words: "Scribble", group: "Prompts and tools" },
  { key: "D", action: "tool:brush", words: "Brush", group: "Prompts and tools" },
  { key: "E", action: "tool:eraser", words: "Eraser", group: "Prompts and tools" },
  { key: "A", action: "tool:lasso", words: "Lasso", group: "Prompts and tools" },
  { key: "G", action: "tool:polygon", words: "Polygon", group: "Prompts and tools" },
  { key: "V", action: "tool:pan", words: "Move the picture", group: "Prompts and tools" },
  { key: "[", action: "brush-smaller", words: "Smaller brush", group: "Prompts and tools" },
  { key: "]", action: "brush-larger", words: "Larger brush", group: "Prompts and tools" },
  { key: "K", action: "keep-part", words: "Keep this part, prompt another", group: "Prompts and tools" },
  {
    key: "Delete",
    action: "clear-slice",
    words: "Empty the label on this slice",
    group: "Prompts and tools",
  },
  ...DIGITS.map((n): Key => ({ key: `${n}`, action: `label:${n}`, words: `Label ${n}`, group: "Labels" })),
  { key: "N", action: "label-add", words: "New label", group: "Labels" },
  { key: "H", action: "label-visible", words: "Show or hide the label", group: "Labels" },
  { key: "L", action: "label-locked", words: "Lock or unlock the label", group: "Labels" },
  { key: ".", action: "slice-next", words: "Next slice", group: "Slices and planes" },
  { key: ",", action: "slice-previous", words: "Previous slice", group: "Slices and planes" },
  { key: "PageDown", action: "slice-next-10", words: "Ten slices on", group: "Slices and planes" },
  { key: "PageUp", action: "slice-previous-10", words: "Ten slices back", group: "Slices and planes" },
  { key: "Home", action: "slice-first", words: "First slice", group: "Slices and planes" },
  { key: "End", action: "slice-last", words: "Last slice", group: "Slices and planes" },
  { key: "X", action: "plane-next", words: "Next plane", group: "Slices and planes" },
  { key: "Q", action: "layout", words: "One plane, or all and 3D", group: "Slices and planes" },
  { key: "F", action: "propagate", words: "Propagate the label", group: "Slices and planes" },
  {
    key: "Shift+F",
    action: "propagate-keep",
    words: "Stop propagating, keep it",
    group: "Slices and planes",
  },
  { key: "I", action: "interpolate", words: "Fill slices between", group: "Slices and planes" },
  { key: "W", action: "window-next", words: "Next window", group: "Picture" },
  { key: "M", action: "masks-shown", words: "Show or hide all masks", group: "Picture" },
  { key: "C", action: "contours", words: "Outlines", group: "Picture" },
  { key: "T", action: "prompts-shown", words: "Show or hide prompts", group: "Picture" },
  { key: "+", action: "zoom-in", words: "Zoom in", group: "Picture" },
  { key: "-", action: "zoom-out", words: "Zoom out", group: "Picture" },
  { key: "0", action: "fit", words: "Whole picture", group: "Picture" },
  { key: "Shift+D", action: "theme", words: "Dark or light", group: "Picture" },
  { key: "Ctrl+Z", action: "undo", words: "Undo", group: "Work" },
  { key: "Ctrl+Shift+Z", action: "redo", words: "Redo", group: "Work" },
  { key: "Ctrl+Y", action: "redo", words: "Redo", group: "Work" },
  { key: "Ctrl+S", action: "save", words: "Save the label map", group: "Work" },
  { key: "Ctrl+E", action: "export", words: "Export", group: "Work" },
  { key: "Shift+H", action: "history", words: "History", group: "Work" },
  { key: "Shift+M", action: "model", words: "Model", group: "Work" },
  { key: ">", action: "case-next", words: "Next case", group: "Work" },
  { key: "<", action: "case-previous", words: "Previous case", group: "Work" },
  { key: "Shift+C", action: "case-list", words: "All cases", group: "Work" },
  { key: "?", action: "keys", words: "This list", group: "Work" },
];

const BY_KEY = new Map(KEYS.map((each) => [each.key, each.action]));

/** What a key press is for. */
export function actionOf(event: Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "shiftKey" | "altKey">) {
  return event.altKey ? null : (BY_KEY.get(nameOf(event)) ?? null);
}

/** The first key of an action, for tooltips. */
export function keyOf(action: ActionName): string | null {
  return KEYS.find((each) => each.action === action)?.key ?? null;
}

/** A key as `aria-keyshortcuts` has it. */
export function ariaKey(action: ActionName): string | undefined {
  return keyOf(action)?.replace("Ctrl", "Control").replace(/\+$/, "Plus");
}

function nameOf(event: Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "shiftKey">): string {
  const isLetter = /^\p{L}$/u.test(event.key);
  const key = isLetter ? event.key.toUpperCase() : event.key;
  // Of signs such as `?`, Shift is what makes them on one keyboard and not on another.
  const shift = event.shiftKey && isLetter ? "Shift+" : "";
  return `${event.ctrlKey || event.metaKey ? "Ctrl+" : ""}${shift}${key}`;
}
