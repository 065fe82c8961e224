import { expect, test } from "vitest";
import { PENDING, RUNNING, WAITING } from "../execution/status.ts";
import { nodeWords } from "./node-words.ts";

const NOON = new Date(2026, 4, 7, 12, 0, 0).getTime();

test("a back-off and a wait say when they end", () => {
  const until = NOON + 200_000;
  expect(nodeWords({ code: PENDING, detail: "retrying", until }, NOON)).toBe("Retrying at 12:03:20");
  expect(nodeWords({ code: WAITING, detail: "waiting", until }, NOON)).toBe("Waiting until 12:03:20");
});

test("a wait that ends on another day names the day", () => {
  const until = NOON + 86_400_000;
  expect(nodeWords({ code: WAITING, detail: "waiting", until }, NOON)).toBe("Waiting until 8 May, 12:00");
});

test("without a time there is only the word", () => {
  expect(nodeWords({ code: PENDING, detail: "retrying", until: 0 })).toBe("Retrying");
  expect(nodeWords({ code: RUNNING, detail: "", until: NOON })).toBe("Running");
});
