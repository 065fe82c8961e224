import { expect, test } from "vitest";
import { branchesOf, differencesOf, type Member, originOf } from "./family.ts";

function member(executionId: string, parentExecutionId = "", more: Partial<Member> = {}): Member {
  return {
    executionId,
    workflowId: "w",
    status: "success",
    startedAt: `2026-01-01T00:00:0${executionId.length}.000Z`,
    seq: 1,
    ...(parentExecutionId ? { parentExecutionId } : {}),
    ...more,
  };
}

const drawn = (members: Member[]) =>
  branchesOf(members).map(({ member: { executionId }, column, parent, through, goesOn }) => [
    executionId,
    column,
    parent,
    [...through],
    goesOn,
  ]);

test("a row of retries goes straight down", () => {
  expect(drawn([member("a"), member("bb", "a"), member("ccc", "bb")])).toEqual([
    ["a", 0, -1, [], true],
    ["bb", 0, 0, [], true],
    ["ccc", 0, 0, [], false],
  ]);
});

test("several from one run branch off, the oldest first, each before its own", () => {
  const members = [member("a"), member("ccc", "a"), member("bb", "a"), member("dddd", "bb")];
  expect(drawn(members)).toEqual([
    ["a", 0, -1, [], true],
    ["bb", 1, 0, [0], true],
    ["dddd", 1, 1, [0], false],
    ["ccc", 1, 0, [], false],
  ]);
});

test("a parent that is not there any more, or a caller, leaves a root", () => {
  expect(drawn([member("a", "caller")])).toEqual([["a", 0, -1, [], false]]);
});

test("what a run was given otherwise is said in words", () => {
  const name = (id: string) => id.toUpperCase();
  const fork = member("b", "a", { origin: "fork", from: "x", until: "z", newInput: true, changed: ["y"] });
  expect(originOf(fork, name)).toBe("From X");
  expect(differencesOf(fork, name)).toEqual(["other input", "other settings of Y", "to Z"]);
  expect(originOf(member("b", "a", { origin: "fork", until: "z" }), name)).toBe("To Z");
  expect(originOf(member("b", "a", { origin: "retry" }), name)).toBe("Retry");
  expect(differencesOf(member("b", "a", { origin: "fork", changed: ["x", "y", "z"] }), name)).toEqual([
    "other settings of 3 nodes",
  ]);
});
