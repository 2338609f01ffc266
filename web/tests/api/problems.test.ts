import { expect, test } from "vitest";
import { isGone, refusal, sentence, UnreachableError } from "../../src/api/problems";

test("a refusal is one plain sentence with what to do", () => {
  const error = refusal(409, {
    error: { kind: "ConflictError", message: "label 2 is locked", hint: "unlock it first" },
  });
  expect(error.status).toBe(409);
  expect(error.kind).toBe("ConflictError");
  expect(sentence(error)).toBe("Label 2 is locked: unlock it first.");
});

test("without a hint it is the message alone", () => {
  const error = refusal(404, {
    error: { kind: "NotFoundError", message: "there is no slice 9 along z", hint: null },
  });
  expect(sentence(error)).toBe("There is no slice 9 along z.");
  expect(isGone(error)).toBe(true);
});

test.each([null, "Bad gateway", { detail: "no" }, { error: 3 }])(
  "a body of another kind (%j) is still a sentence",
  (body) => {
    expect(sentence(refusal(500, body))).toBe("The server answered 500.");
  },
);

test("a missing token says where to find it", () => {
  expect(sentence(refusal(401, null))).toContain("open the address that it printed");
});

test("no answer is no refusal", () => {
  expect(isGone(new UnreachableError())).toBe(false);
  expect(sentence(new UnreachableError())).toBe("The server does not answer; trying again.");
});
