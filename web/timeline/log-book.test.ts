import { expect, test } from "vitest";
import type { LogLine } from "../execution/log-lines.ts";
import { filtered, type KeptLine, LogBook } from "./log-book.ts";

const kept = (text: string, offset: number, more: Partial<KeptLine> = {}): KeptLine => ({
  nodeId: "a",
  at: "2026-01-01T00:00:00Z",
  text,
  offset,
  ...more,
});
const live = (text: string, offset: number, more: Partial<LogLine> = {}): LogLine => ({
  nodeId: "a",
  path: "",
  attempt: 1,
  offset,
  kind: "log",
  level: "info",
  text,
  timestamp: Date.parse("2026-01-01T00:00:01Z"),
  ...more,
});

test("each line once, whether it was kept or came live", () => {
  const book = new LogBook();
  book.keep([kept("one", 10), kept("b", 11, { nodeId: "b" }), kept("two", 12)], 13);
  const lines = book.merged([live("two", 1), live("three", 2), live("b2", 1, { nodeId: "b" })]);
  expect(lines.map((line) => line.text)).toEqual(["one", "b", "two", "three", "b2"]);
  expect(book.next).toBe(13);
});

test("a gap is there until what is missing has been read", () => {
  const book = new LogBook();
  const arrived = [live("3", 0, { kind: "gap" }), live("four", 3)];
  expect(book.merged(arrived).map((line) => line.kind)).toContain("gap");
  book.keep([kept("one", 1), kept("two", 2), kept("three", 3), kept("four", 4)], 5);
  expect(book.merged(arrived).map((line) => line.text)).toEqual(["one", "two", "three", "four"]);
});

test("streamed pieces are one text; filters go by node, level, text and time", () => {
  const book = new LogBook();
  book.keep(
    [
      kept("Dear ", 1, { kind: "stream" }),
      kept("Ada", 2, { kind: "stream" }),
      kept("bad", 3, { level: "error" }),
    ],
    4,
  );
  const lines = book.merged([]);
  expect(lines.map((line) => line.text)).toEqual(["Dear Ada", "bad"]);
  const all = { node: "", level: "debug", text: "", until: 0 };
  expect(filtered(lines, { ...all, level: "error" }).map((line) => line.text)).toEqual(["bad"]);
  expect(filtered(lines, { ...all, text: "ada" })).toHaveLength(1);
  expect(filtered(lines, { ...all, node: "b" })).toHaveLength(0);
  expect(filtered(lines, { ...all, until: 1 })).toHaveLength(0);
});

test("what was said before a death, and was not kept, stands where it was said", () => {
  const book = new LogBook();
  book.keep([kept("again", 0, { attempt: 2, at: "2026-01-01T00:00:02Z" })], 1);
  const lines = book.merged([
    live("lost", 0),
    live("later", 1, { attempt: 2, timestamp: Date.parse("2026-01-01T00:00:03Z") }),
  ]);
  expect(lines.map((line) => line.text)).toEqual(["lost", "again", "later"]);
});
