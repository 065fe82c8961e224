import { readFileSync } from "node:fs";
import { describe, expect, it, vi } from "vitest";
import type { ServerMessage } from "../protocol/messages.ts";
import { RunStore } from "./run-store.ts";

interface Vector {
  name: string;
  executionId: string;
  messages: ServerMessage[];
  outcomes: string[];
  caughtUp: boolean;
  state: Record<string, unknown>;
}

const FILE = new URL("../../tests/vectors/live.json", import.meta.url);
const vectors = JSON.parse(readFileSync(FILE, "utf8")) as Vector[];

describe("the fold, with the vectors that Python is checked with", () => {
  it.each(vectors.map((vector) => [vector.name, vector] as const))("%s", (_, vector) => {
    const store = new RunStore(vector.executionId, () => {});
    const outcomes = vector.messages.map((message) => store.receive(message));
    expect(outcomes).toEqual(vector.outcomes);
    expect(store.state()).toEqual(vector.state);
    expect(store.caughtUp).toBe(vector.caughtUp);
    const nodes = vector.state.nodes as { status: string }[];
    expect([...store.counts].reduce((sum, one) => sum + one, 0)).toBe(nodes.length);
    expect(store.counts[3]).toBe(nodes.filter((node) => node.status === "success").length);
  });
});

describe("the store", () => {
  const [vector] = vectors;

  function scheduled() {
    const due: (() => void)[] = [];
    const store = new RunStore(vector.executionId, (flush) => due.push(flush));
    const frame = () => {
      for (const flush of due.splice(0)) flush();
    };
    return { store, due, frame };
  }

  it("flushes once a frame, and tells only the nodes that changed", () => {
    const { store, due, frame } = scheduled();
    store.receive(vector.messages[0]);
    frame();
    const heard = new Map(store.ids.map((id) => [id, vi.fn()]));
    for (const [id, listener] of heard) store.subscribeNode(id, listener);
    const dirty = vi.fn();
    store.subscribeDirty(dirty);
    for (const message of vector.messages.slice(1)) store.receive(message);
    expect(due).toHaveLength(1);
    frame();
    expect(dirty).toHaveBeenCalledTimes(1);
    const told = new Set(dirty.mock.calls[0][0].map((n: number) => store.ids[n]));
    for (const [id, listener] of heard) expect(listener).toHaveBeenCalledTimes(told.has(id) ? 1 : 0);
  });

  it("gives the same row until the node changes, and another then", () => {
    const { store, frame } = scheduled();
    store.receive(vector.messages[0]);
    const id = store.ids[0];
    const row = store.row(id);
    frame();
    expect(store.row(id)).toBe(row);
    for (const message of vector.messages.slice(1)) store.receive(message);
    expect(store.row(id)).not.toBe(row);
  });

  it("puts a gap where words of an attempt were dropped, and keeps the end of what is streamed", () => {
    const { store, frame } = scheduled();
    store.receive(vector.messages[0]);
    const word = (offset: number, text: string): ServerMessage => ({
      type: "NODE_LOG",
      data: {
        executionId: vector.executionId,
        nodeId: store.ids[0],
        attempt: 1,
        offset,
        kind: "stream",
        level: "",
        text,
        timestamp: 1,
      },
    });
    store.receive(word(0, "one "));
    store.receive(word(1, "two "));
    store.receive(word(1, "two "));
    store.receive(word(4, "five"));
    frame();
    expect(store.logs.lines.map((line) => (line.kind === "gap" ? `(${line.text})` : line.text))).toEqual([
      "one ",
      "two ",
      "(2)",
      "five",
    ]);
    expect(store.row(store.ids[0])?.streamed).toContain("five");
  });

  it("takes nodes that no definition named, as they are told of", () => {
    const store = new RunStore("reported", () => {});
    const facts = {
      executionId: "reported",
      seq: 0,
      status: "running" as const,
      progress: 0,
      completedNodes: 0,
      totalNodes: 0,
      startTime: 1,
    };
    store.receive({ type: "EXECUTION_SNAPSHOT", data: { ...facts, nodes: [] } });
    for (let n = 0; n < 200; n += 1) {
      const visual = { borderColor: "", icon: "", badges: [] };
      store.receive({
        type: "NODE_UPDATE",
        data: {
          executionId: "reported",
          seq: n + 1,
          nodeId: `n${n}`,
          nodeName: `Node ${n}`,
          status: "success",
          visual,
          timestamp: n,
        },
      });
    }
    expect(store.ids).toHaveLength(200);
    expect(store.counts[3]).toBe(200);
    expect(store.row("n199")?.name).toBe("Node 199");
    expect(store.row("n0")?.code).toBe(3);
  });
});
