import { expect, test } from "vitest";
import { RunStore } from "../execution/run-store.ts";
import { type Edges, edgeState, edgesOf, FLOWS, NOT_TAKEN, RESTS, TAKEN } from "./edges.ts";
import { graphOf } from "./graph.ts";

function edges(parentId?: string): Edges {
  const node = (id: string, type: string) => ({
    id,
    type,
    position: { x: 0, y: 0 },
    data: { type, label: id },
    ...(parentId ? { parentId } : {}),
  });
  const graph = graphOf({
    id: "w",
    nodes: [
      ...(parentId
        ? [{ id: parentId, type: "map", position: { x: 0, y: 0 }, data: { type: "map", label: "" } }]
        : []),
      node("which", "if"),
      node("yes", "set"),
      node("no", "set"),
      node("caught", "set"),
    ],
    edges: [
      { id: "y", source: "which", target: "yes", sourceHandle: "output_true" },
      { id: "n", source: "which", target: "no", sourceHandle: "false" },
      { id: "e", source: "which", target: "caught", sourceHandle: "error" },
    ],
  });
  return edgesOf(graph, new Map());
}

function run(...nodes: [string, string, string?][]): RunStore {
  const store = new RunStore("r", () => {});
  store.receive({
    type: "EXECUTION_SNAPSHOT",
    data: {
      executionId: "r",
      seq: 1,
      status: "running",
      progress: 0,
      completedNodes: 0,
      totalNodes: nodes.length,
      startTime: 0,
      nodes: nodes.map(([nodeId, status, handle]) => ({
        nodeId,
        nodeName: nodeId,
        status,
        timestamp: 0,
        ...(handle ? { handle } : {}),
      })),
    },
  } as never);
  return store;
}

function states(all: Edges, store: RunStore): number[] {
  const n = (id: string) => store.numbers.get(id) ?? -1;
  return ["yes", "no", "caught"].map((target, e) => edgeState(all, e, store, n("which"), n(target)));
}

test("an answer left by the handle that the run tells, whatever has become of what is behind it", () => {
  const ended = run(["which", "success", "true"], ["yes", "idle"], ["no", "success"], ["caught", "skipped"]);
  expect(states(edges(), ended)).toEqual([TAKEN, NOT_TAKEN, NOT_TAKEN]);
  expect(states(edges(), run(["which", "success", "false"], ["no", "running"]))).toEqual([
    NOT_TAKEN,
    FLOWS,
    NOT_TAKEN,
  ]);
});

test("an error that is caught leaves by its own edge alone", () => {
  const failed = run(["which", "error"], ["yes", "success"], ["no", "success"], ["caught", "running"]);
  expect(states(edges(), failed)).toEqual([NOT_TAKEN, NOT_TAKEN, FLOWS]);
});

test("in a body, where each run may go another way, the ends say what is known", () => {
  const store = run(["which", "success"], ["yes", "success"], ["no", "skipped"], ["caught", "idle"]);
  expect(states(edges("each"), store)).toEqual([TAKEN, NOT_TAKEN, RESTS]);
});
