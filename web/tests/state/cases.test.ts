import { expect, test } from "vitest";
import type { CaseBrief, CaseState } from "../../src/api/types";
import { filtered } from "../../src/state/cases";

const brief = (name: string, state: CaseState): CaseBrief => ({
  id: name,
  name,
  kind: "file",
  state,
  sessions: [],
});
const ALL = [
  brief("Liver/scan 01.nii.gz", "new"),
  brief("liver/scan 02.nii.gz", "saved"),
  brief("spleen.png", "started"),
];
const names = (found: CaseBrief[]) => found.map((each) => each.name);

test("the filter takes words in any order and any case", () => {
  expect(names(filtered(ALL, "02 LIVER", "all"))).toEqual(["liver/scan 02.nii.gz"]);
  expect(filtered(ALL, "  ", "all")).toHaveLength(3);
  expect(filtered(ALL, "kidney", "all")).toEqual([]);
});

test("state and words both have to fit", () => {
  expect(names(filtered(ALL, "", "started"))).toEqual(["spleen.png"]);
  expect(filtered(ALL, "liver", "started")).toEqual([]);
});
