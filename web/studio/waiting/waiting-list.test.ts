import { expect, test } from "vitest";
import { ApiError } from "../../execution/api.ts";
import { keyOf, lateness, type Waiting } from "../../inspector/answers/waiting.ts";
import { shownOf } from "./waiting-list.ts";

function question(nodeId: string, waitingSince: string, path = ""): Waiting {
  return {
    executionId: "e1",
    workflowId: "w",
    workflowName: "W",
    nodeId,
    nodeName: nodeId,
    path,
    kind: "approval",
    detail: "",
    waitingSince,
  };
}

const early = question("a", "2026-01-01T00:00:00.000Z");
const later = question("b", "2026-01-02T00:00:00.000Z");

test("what somebody was about to answer stays at its place when it waits no longer", () => {
  const held = new Map([[keyOf(early), { waiting: early, outcome: null }]]);
  expect(shownOf([later], held).map((one) => [one.waiting.nodeId, one.gone])).toEqual([
    ["a", true],
    ["b", false],
  ]);
  expect(shownOf([early, later], held).map((one) => one.gone)).toEqual([false, false]);
  expect(shownOf([later], new Map()).length).toBe(1);
});

test("two iterations of one node are two questions, and so is the same one asked again", () => {
  const keys = [question("a", "1", "each[0]"), question("a", "1", "each[1]"), question("a", "2", "each[0]")];
  expect(new Set(keys.map(keyOf)).size).toBe(3);
});

test("being late is told apart from being wrong", () => {
  const refusal = (code: string, details = {}) => new ApiError(409, code, "no", details);
  expect(lateness(refusal("ALREADY_DECIDED", { decision: "rejected" }))?.said).toContain(
    "it is rejected already",
  );
  expect(lateness(refusal("NO_ACTIVE_FORM"))?.late).toBe(true);
  expect(lateness(refusal("VALIDATION_FAILED"))).toBeNull();
  expect(lateness(new Error("offline"))).toBeNull();
});
