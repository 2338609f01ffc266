import { expect, test } from "vitest";
import { ACTIONS, actionOf, ariaKey, KEYS, keyOf } from "../src/keys";

interface Press {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  shiftKey: boolean;
  altKey: boolean;
}

function press(key: string, ...held: ("ctrl" | "meta" | "shift" | "alt")[]): Press {
  return {
    key,
    ctrlKey: held.includes("ctrl"),
    metaKey: held.includes("meta"),
    shiftKey: held.includes("shift"),
    altKey: held.includes("alt"),
  };
}

test("no key does two things", () => {
  const names = KEYS.map((each) => each.key);
  expect(names).toEqual([...new Set(names)]);
});

test("everything has a key", () => {
  expect(ACTIONS.filter((action) => keyOf(action) === null)).toEqual([]);
});

test("no two lines of a group read the same unless they are one action", () => {
  for (const one of KEYS) {
    for (const two of KEYS) {
      if (one.group === two.group && one.words === two.words) expect(one.action).toBe(two.action);
    }
  }
});

test("keys that no page may take are left to the browser", () => {
  const browser = [
    "Ctrl+T",
    "Ctrl+W",
    "Ctrl+N",
    "Ctrl+R",
    "Ctrl+L",
    "Ctrl+H",
    "Tab",
    "Escape",
    "Enter",
    "F5",
  ];
  expect(KEYS.map((each) => each.key).filter((key) => browser.includes(key))).toEqual([]);
});

test.each([
  [press("b"), "tool:box"],
  [press("B"), "tool:box"], // with caps lock
  [press("z", "ctrl"), "undo"],
  [press("z", "meta"), "undo"], // on a Mac
  [press("Z", "ctrl", "shift"), "redo"],
  [press("f"), "propagate"],
  [press("F", "shift"), "propagate-keep"],
  [press("?", "shift"), "keys"],
  [press("?"), "keys"], // keyboards have it in different places
  [press("+"), "zoom-in"],
  [press("3"), "label:3"],
  [press("b", "alt"), null],
  [press("b", "ctrl"), null],
])("%j is for %s", (event, action) => {
  expect(actionOf(event)).toBe(action);
});

test("screen readers are told of keys in their own words", () => {
  expect(ariaKey("undo")).toBe("Control+Z");
  expect(ariaKey("zoom-in")).toBe("Plus");
});
