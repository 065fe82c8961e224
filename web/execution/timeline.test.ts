import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { WorkflowEdge, WorkflowNode } from "../protocol/document.ts";
import type { JournalEvent } from "./api.ts";
import { History } from "./history.ts";
import { Clockwork, timelineOf } from "./timeline.ts";

interface Vector {
  name: string;
  now: number;
  nodes: WorkflowNode[];
  edges: WorkflowEdge[];
  roles: Record<string, string>;
  events: JournalEvent[];
  timeline: {
    end: number;
    ended: boolean;
    criticalPath: string[];
    work: number;
    stops: number[][];
    bodies: Record<string, number>;
    nodes: {
      nodeId: string;
      status: string;
      due: number;
      end: number;
      critical?: boolean;
      slack: number;
      attempts?: {
        attempt: number;
        status: string;
        segments: { kind: string; start: number; end: number }[];
      }[];
    }[];
  };
}

const FILE = new URL("../../tests/vectors/timelines.json", import.meta.url);
const vectors = JSON.parse(readFileSync(FILE, "utf8")) as Vector[];

describe("where the time went, with the vectors that Python is checked with", () => {
  it.each(vectors.map((vector) => [vector.name, vector] as const))("%s", (_, vector) => {
    const history = new History();
    const clockwork = new Clockwork(vector, (type) => vector.roles[type]);
    for (const event of vector.events) history.add(event);
    for (const event of history.events) clockwork.take(event);
    const { timeline } = vector;
    const told = timelineOf(history, clockwork, vector.now);
    const nodes = [...told.nodes.values()].sort((one, other) => (one.nodeId < other.nodeId ? -1 : 1));
    expect(
      nodes.map((node) => ({
        ...node,
        attempts: node.attempts.map(({ attempt, status, segments }) => ({
          attempt,
          status,
          segments: segments
            .filter(({ from, to }) => from !== (to || timeline.end) || segments.length === 1)
            .map(({ kind, from, to }) => ({ kind, start: from, end: to || timeline.end })),
        })),
      })),
    ).toEqual(
      timeline.nodes.map(({ attempts = [], critical = false, ...node }) => ({
        ...node,
        critical,
        attempts: attempts.map(({ attempt, status, segments }) => ({ attempt, status, segments })),
      })),
    );
    expect(told.criticalPath).toEqual(timeline.criticalPath);
    expect(told.work).toBeCloseTo(timeline.work, 3);
    expect(history.stops.map(({ from, to, epoch }) => [from, to, epoch])).toEqual(timeline.stops);
    expect(Object.fromEntries(told.bodies)).toEqual(timeline.bodies);
    // What ran in an iteration is found by the path that its container tells.
    const iterations = new Set<string>();
    for (const lane of history.lanes.values())
      if (lane.events.some((n) => history.events[n].type.startsWith("Iteration")))
        for (const path of lane.spans?.paths ?? []) iterations.add(path);
    const inside = vector.events.filter(({ type, path }) => type === "NodeStarted" && path);
    expect(inside.filter(({ path }) => !iterations.has(path!))).toEqual([]);
    expect(history.endedAt !== 0).toBe(timeline.ended);
  });
});
