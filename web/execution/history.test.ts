import { expect, test } from "vitest";
import type { JournalEvent } from "./api.ts";
import { History } from "./history.ts";
import { LONG, RunHistory } from "./run-history.ts";

let seq = 0;
function journal(...events: Record<string, unknown>[]): History {
  seq = 0;
  const history = new History();
  for (const event of events) history.add({ seq: ++seq, ...event } as unknown as JournalEvent);
  return history;
}

const started = { type: "ExecutionStarted", at: 100 };

test("attempts, back-offs and waits are stretches without a gap", () => {
  const history = journal(
    started,
    { type: "NodeStarted", at: 110, nodeId: "a" },
    { type: "NodeFailed", at: 120, nodeId: "a", error: { message: "no" }, retryAt: 150 },
    { type: "NodeStarted", at: 151, nodeId: "a", attempt: 2 },
    { type: "NodeSuspended", at: 160, nodeId: "a", attempt: 2, kind: "approval", signal: "ok" },
    { type: "NodeSucceeded", at: 190, nodeId: "a", attempt: 2, handle: "approved" },
  );
  const { attempts } = history.lanes.get("a")!;
  expect(attempts.map(({ attempt, status, text }) => [attempt, status, text])).toEqual([
    [1, "error", "no"],
    [2, "success", ""],
  ]);
  expect(attempts.flatMap(({ segments }) => segments.map(({ kind, from, to }) => [kind, from, to]))).toEqual([
    ["run", 110, 120],
    ["backoff", 120, 150],
    ["queue", 150, 151],
    ["run", 151, 160],
    ["wait", 160, 190],
  ]);
  expect(attempts[1].segments[3].text).toBe("an approval");
});

test("what ran when the process ended is down until another takes over", () => {
  const history = journal(
    started,
    { type: "NodeStarted", at: 110, nodeId: "a" },
    { type: "NodeStarted", at: 150, nodeId: "b" },
    { type: "ExecutionRecovered", at: 5_000, epoch: 2 },
    { type: "NodeLost", at: 5_000, nodeId: "a", outcome: "rerun" },
    { type: "NodeStarted", at: 5_001, nodeId: "a", attempt: 2 },
  );
  expect(history.stops).toEqual([{ from: 150, to: 5_000, epoch: 2 }]);
  const [lost, next] = history.lanes.get("a")!.attempts;
  expect(lost.status).toBe("lost");
  expect(lost.segments.map(({ kind, from, to }) => [kind, from, to])).toEqual([
    ["run", 110, 150],
    ["down", 150, 5_000],
  ]);
  expect(next.segments.map(({ kind, from, to }) => [kind, from, to])).toEqual([
    ["queue", 5_000, 5_001],
    ["run", 5_001, 0],
  ]);
});

test("iterations and what runs in them are counted by path", () => {
  const history = journal(
    started,
    { type: "NodeStarted", at: 110, nodeId: "each" },
    { type: "IterationStarted", at: 111, nodeId: "each", index: 0 },
    { type: "NodeStarted", at: 111, nodeId: "x", path: "each[0]" },
    { type: "NodeSucceeded", at: 115, nodeId: "x", path: "each[0]" },
    { type: "IterationSucceeded", at: 115, nodeId: "each", index: 0 },
    { type: "IterationStarted", at: 115, nodeId: "each", index: 1 },
    { type: "NodeStarted", at: 115, nodeId: "x", path: "each[1]" },
    { type: "NodeFailed", at: 119, nodeId: "x", path: "each[1]", error: { message: "no" } },
    { type: "IterationFailed", at: 119, nodeId: "each", index: 1, error: { message: "no" } },
  );
  const each = history.lanes.get("each")!.spans!;
  expect(each.paths).toEqual(["each[0]", "each[1]"]);
  expect([each.ended, each.failed]).toEqual([2, 1]);
  const inside = history.lanes.get("x")!.spans!;
  expect(inside.to).toEqual([115, 119]);
});

test("an end closes what is open; payloads are not kept", () => {
  const history = journal(
    started,
    { type: "NodeStarted", at: 110, nodeId: "a" },
    { type: "ExecutionPaused", at: 111 },
    { type: "ExecutionCancelled", at: 130, reason: "enough" },
    { type: "NodeSucceeded", at: 140, nodeId: "b", output: { large: true } },
  );
  expect(history.endedAt).toBe(130);
  expect(history.pauses).toEqual([{ from: 111, to: 130 }]);
  const [cancelled] = history.lanes.get("a")!.attempts;
  expect([cancelled.status, cancelled.segments[0].to]).toEqual(["cancelled", 130]);
  expect(history.events.at(-1)).not.toHaveProperty("output");
});

test("it reads page by page up to what it was told of, and each event once", async () => {
  const all = Array.from({ length: 25 }, (_, n) => ({
    type: "NodeStarted",
    seq: n + 1,
    at: n,
    nodeId: `n${n}`,
  }));
  const asked: number[] = [];
  const history = new RunHistory(async (after) => {
    asked.push(after);
    const events = all.filter((event) => event.seq > after).slice(0, 10);
    return { events: events as JournalEvent[], lastSeq: Math.min(after + 10, 25), more: after + 10 < 25 };
  });
  const read = new Promise<void>((done) => {
    history.subscribe(() => history.cursor === 25 && done());
  });
  history.want(25);
  history.want(25);
  await read;
  expect(asked).toEqual([0, 10, 20]);
  expect(history.events).toHaveLength(25);
});

/** A map of many items, as the server tells of it. */
function longRun() {
  const count = LONG + 1;
  const all = Array.from({ length: count }, (_, n) => {
    const inside = n > 1 && n < count - 2;
    return {
      type: n === 0 ? "ExecutionStarted" : n === count - 2 ? "NodeSucceeded" : "NodeStarted",
      seq: n + 1,
      at: n + 1,
      ...(n > 0 && { nodeId: inside ? "inner" : n === count - 1 ? "last" : "each" }),
      ...(inside && { path: `each[${n}]` }),
    };
  });
  const asked: string[] = [];
  const read = async (after: number, limit: number, top: boolean) => {
    asked.push(`${after}${top ? " top" : ""}`);
    const wanted = all.filter((event) => event.seq > after && !(top && "path" in event));
    const events = wanted.slice(0, limit) as JournalEvent[];
    const lastSeq = wanted.length > limit ? events[events.length - 1].seq : count;
    return { events, lastSeq, more: lastSeq < count };
  };
  return { count, asked, read };
}

const until = (history: RunHistory, fact: () => boolean) =>
  new Promise<void>((done) => {
    const look = () => fact() && done();
    history.subscribe(look);
    look();
  });

test("of a long run only the top level is read, and all of it once somebody wants that", async () => {
  const { count, asked, read } = longRun();
  const history = new RunHistory(read);
  history.want(count);
  await until(history, () => history.cursor === count);
  expect([asked, history.brief, history.best === history]).toEqual([["0 top"], true, true]);
  expect(history.events.map(({ type }) => type)).toEqual([
    "ExecutionStarted",
    "NodeStarted",
    "NodeSucceeded",
    "NodeStarted",
  ]);
  expect(history.lanes.get("each")!.attempts).toHaveLength(1);

  history.wantWhole();
  await until(history, () => history.best !== history);
  expect(asked).toEqual(["0 top", "0", "10000", "20000"]);
  expect([history.best.brief, history.best.events.length]).toEqual([false, count]);
  expect(history.best.lanes.get("inner")!.spans!.from).toHaveLength(count - 4);
  expect(history.best.lanes.get("each")!.attempts).toEqual(history.lanes.get("each")!.attempts);
});

test("a long run that somebody wants whole from the beginning is read once", async () => {
  const { count, asked, read } = longRun();
  const history = new RunHistory(read);
  history.wantWhole();
  history.want(count);
  await until(history, () => history.cursor === count);
  expect([asked, history.brief, history.events.length]).toEqual([["0", "10000", "20000"], false, count]);
});
