import { describe, expect, it } from "vitest";
import type { KeptLine } from "./log-book.ts";
import { LogReader } from "./log-reader.ts";

const line = (offset: number): KeptLine => ({
  nodeId: "a",
  text: `${offset}`,
  at: "2026-01-01T00:00:00Z",
  offset,
});

describe("a log that is read while it grows", () => {
  it("is read once more for who asks during a read: what is new may be behind the page that was on its way", async () => {
    const kept = [line(0)];
    let answer = () => {};
    const reader = new LogReader(async (after) => {
      const lines = kept.slice(after);
      const nextOffset = kept.length;
      await new Promise<void>((next) => {
        answer = next;
        if (after) next();
      });
      return { lines, nextOffset };
    });
    const first = reader.read();
    kept.push(line(1));
    const second = reader.read();
    answer();
    await Promise.all([first, second]);
    expect(reader.book.merged([]).map((one) => one.text)).toEqual(["0", "1"]);
  });

  it("says what went wrong until a read succeeds", async () => {
    let broken = true;
    const reader = new LogReader(async () => {
      if (broken) throw new Error("no network");
      return { lines: [line(0)], nextOffset: 1 };
    });
    await reader.read();
    expect(reader.error).toBe("no network");
    broken = false;
    await reader.read();
    expect(reader.error).toBe("");
    expect(reader.book.kept).toHaveLength(1);
  });
});
