/** Why a node is as it is: what it waits for, which way was taken instead, when it goes on. In sentences. */

import { type Graph, indexOf, nodeOf, titleOf } from "../canvas/graph.ts";
import type { JournalEvent } from "../execution/api.ts";
import { type History, messageOf } from "../execution/history.ts";
import type { Segment } from "../execution/lane.ts";
import type { NodeRow, RunFacts, RunStore } from "../execution/run-store.ts";
import { ERROR, IDLE, labelOf, PENDING, RUNNING, SKIPPED, SUCCESS, WAITING } from "../execution/status.ts";
import type { Json, JsonObject, WorkflowEdge } from "../protocol/document.ts";
import { clock, count, duration } from "../theme/format.ts";

export interface Reason {
  readonly text: string;
  /** A node that one can go to for more. */
  readonly nodeId?: string;
  /** A condition of that node that decided it: its values are to be shown. */
  readonly condition?: string;
}

interface Known {
  readonly graph: Graph;
  readonly store: RunStore;
  readonly history: History;
  readonly run: RunFacts | null;
  readonly now: number;
}

export function whyOf(row: NodeRow, known: Known): Reason[] {
  const reasons: Reason[] = [];
  if (known.run?.detail === "paused" && (row.code === IDLE || row.code === PENDING))
    reasons.push({ text: "The run is paused: nothing new starts until it is resumed." });
  switch (row.code) {
    case IDLE:
      return [...reasons, ...whyIdle(row, known)];
    case PENDING:
    case WAITING:
      return [...reasons, ...whyWaiting(row, known)];
    case RUNNING:
      return [...reasons, ...whyRunning(row, known)];
    case SKIPPED:
      return [...reasons, ...whySkipped(row, known)];
    case ERROR:
      return [...reasons, ...whyFailed(row, known)];
    case SUCCESS:
      return [...reasons, ...whySucceeded(row, known)];
  }
  return reasons;
}

function whyIdle(row: NodeRow, known: Known): Reason[] {
  const { graph, store, run } = known;
  const { incoming } = indexOf(graph);
  const edges = incoming.get(row.nodeId) ?? [];
  const open = edges.map((edge) => edge.source).filter((id) => !hasEnded(store, id));
  const parent = nodeOf(graph, row.nodeId)?.parentId;
  if (run && ["success", "failed", "cancelled"].includes(run.status))
    return [{ text: "The run ended before its turn came." }];
  if (open.length)
    return open
      .slice(0, 6)
      .map((id) => ({ text: `Waits for ${name(graph, id)}: ${word(store, id)}.`, nodeId: id }));
  if (parent !== undefined && !edges.length)
    return [{ text: `It is inside of ${name(graph, parent)}: ${word(store, parent)}.`, nodeId: parent }];
  if (edges.length) return [{ text: "All that it follows has ended; its turn comes next." }];
  return [{ text: "Nothing leads here in this run: another trigger started it." }];
}

function whyWaiting(row: NodeRow, { history, store, now }: Known): Reason[] {
  const lane = history.lanes.get(row.nodeId);
  const last = lane?.open ? lane.last : undefined;
  if (last?.kind === "backoff") {
    const failed = lastEvent(history, row.nodeId, "NodeFailed");
    const before = failed ? `Attempt ${failed.attempt ?? 1} failed: ${messageOf(failed)}. ` : "";
    return [
      {
        text: `${before}Attempt ${lane?.open?.attempt} begins at ${clock(last.until)}${remaining(last, now)}.`,
      },
    ];
  }
  if (last?.kind === "wait") {
    const until = last.until ? ` At the latest at ${clock(last.until)}${remaining(last, now)}.` : "";
    if (last.text === "its time")
      return [{ text: `Waits until ${clock(last.until)}${remaining(last, now)}.` }];
    return [{ text: `Waits for ${last.text}.${until}` }];
  }
  const running = store.counts[RUNNING];
  if (row.detail === "queued")
    return [
      {
        text: running
          ? `All that it follows has ended. It is queued behind ${count(running, "running node")}.`
          : "All that it follows has ended; it is queued.",
      },
    ];
  return [{ text: `${labelOf(row.code, row.detail)}.` }];
}

function remaining(segment: Segment, now: number): string {
  const left = segment.until - now;
  return left > 500 ? ` (in ${duration(left)})` : "";
}

function whyRunning(row: NodeRow, { history, now }: Known): Reason[] {
  const attempt = row.attempt > 1 ? `Attempt ${row.attempt} runs` : "Runs";
  const from = history.lanes.get(row.nodeId)?.last?.from ?? row.startTime;
  const done = row.total
    ? ` ${count(row.done + row.failed)} of ${count(row.total, "iteration")} are done.`
    : "";
  return [{ text: `${attempt} since ${clock(from)}, for ${duration(Math.max(0, now - from))}.${done}` }];
}

function whySkipped(row: NodeRow, known: Known): Reason[] {
  const { graph, history, store } = known;
  if (row.detail === "cancelled") return whyCancelled(row, known);
  const skip = lastEvent(history, row.nodeId, "NodeSkipped");
  const last = String(history.events[0]?.until ?? "");
  if (last && skip?.reason === `beyond ${last}`)
    return [{ text: `This run was to go no further than ${name(graph, last)}.`, nodeId: last }];
  if (typeof skip?.reason === "string" && skip.reason) return [{ text: `${sentence(skip.reason)}` }];
  const edges = indexOf(graph).incoming.get(row.nodeId) ?? [];
  const reasons = edges.map((edge) => offEdge(edge, known)).filter((reason) => reason !== null);
  if (reasons.length) return reasons;
  const parent = nodeOf(graph, row.nodeId)?.parentId;
  if (parent !== undefined && !edges.length)
    return [{ text: `${name(graph, parent)} never ran it.`, nodeId: parent }];
  if (store.run?.status === "failed" || store.run?.detail === "failing")
    return [{ text: "The run failed before its turn came." }];
  return [{ text: "Nothing led here." }];
}

function whyCancelled(row: NodeRow, { graph, history, run }: Known): Reason[] {
  const failing = history.events.findLast((event) => event.type === "ExecutionFailing");
  const culprit = (failing?.error as { nodeId?: string } | undefined)?.nodeId;
  if (culprit && culprit !== row.nodeId)
    return [{ text: `It was stopped because ${name(graph, culprit)} failed.`, nodeId: culprit }];
  const said = lastEvent(history, row.nodeId, "NodeCancelled")?.reason;
  if (typeof said === "string" && said) return [{ text: sentence(said) }];
  return [{ text: run?.status === "cancelled" ? "The run was cancelled." : "It was cancelled." }];
}

/** Why this edge brought nothing; null if it did. */
function offEdge(edge: WorkflowEdge, { graph, history, store }: Known): Reason | null {
  const from = name(graph, edge.source);
  const n = store.numbers.get(edge.source);
  const code = n === undefined ? IDLE : store.codes[n];
  if (code === SKIPPED) return { text: `${from} was skipped, and only leads here.`, nodeId: edge.source };
  if (code === ERROR && edge.sourceHandle !== "error")
    return { text: `${from} failed.`, nodeId: edge.source };
  if (code !== SUCCESS)
    return { text: `${from} never ended: ${word(store, edge.source)}.`, nodeId: edge.source };
  const taken = String(lastEvent(history, edge.source, "NodeSucceeded")?.handle ?? "output");
  const own = edge.sourceHandle ?? "output";
  if (taken === own) return null;
  const condition = nodeOf(graph, edge.source)?.data.config?.condition;
  return {
    text:
      own === "error"
        ? `${from} succeeded; this is for when it fails.`
        : `${from} went by “${taken}”, and this is on “${own}”.`,
    nodeId: edge.source,
    ...(condition !== undefined && condition !== null
      ? { condition: typeof condition === "string" ? condition : JSON.stringify(condition) }
      : {}),
  };
}

function whyFailed(row: NodeRow, { graph, history }: Known): Reason[] {
  const failed = lastEvent(history, row.nodeId, "NodeFailed");
  const inside = (failed?.error as { nodeId?: string } | undefined)?.nodeId;
  const reasons: Reason[] = [
    {
      text:
        row.attempt > 1
          ? `All ${row.attempt} attempts failed; the last: ${row.error}`
          : `It failed: ${row.error}`,
    },
  ];
  if (inside && inside !== row.nodeId)
    reasons.push({ text: `What failed is ${name(graph, inside)}.`, nodeId: inside });
  if (failed?.handled) reasons.push({ text: "The run went on nevertheless: the error is handled." });
  return reasons;
}

function whySucceeded(row: NodeRow, { history }: Known): Reason[] {
  const done = lastEvent(history, row.nodeId, "NodeSucceeded");
  const handle = String(done?.handle ?? "output");
  const reasons: Reason[] = [];
  if (handle !== "output") reasons.push({ text: `It went on by “${handle}”.` });
  if (row.detail === "pinned") reasons.push({ text: "It did not run: its output is pinned." });
  if (row.detail === "cached") reasons.push({ text: "It did not run: the same had been worked out before." });
  if (row.detail === "kept")
    reasons.push({ text: "It did not run again: its output is kept from the run before." });
  if (row.attempt > 1) reasons.push({ text: `It took ${row.attempt} attempts.` });
  return reasons;
}

// --- the condition's values ---

const NAMES = /[A-Za-z_$][\w$]*(?:\??\.[A-Za-z_][\w]*|\[\d+\])*/g;
const WORDS = new Set([
  "and",
  "or",
  "not",
  "in",
  "if",
  "else",
  "true",
  "false",
  "null",
  "True",
  "False",
  "None",
  "for",
]);

/** What the names in a condition stood for in this input; those that are not in it are left out. */
export function valuesIn(condition: string, input: Json): { name: string; value: Json }[] {
  const bare = condition.replace(/"[^"]*"|'[^']*'/g, "");
  const found = new Map<string, Json>();
  for (const match of bare.match(NAMES) ?? []) {
    if (WORDS.has(match)) continue;
    const value = reach(input, match);
    if (value !== undefined) found.set(match, value);
  }
  return [...found].map(([name, value]) => ({ name, value }));
}

function reach(input: Json, path: string): Json | undefined {
  const keys = path
    .replace(/\?/g, "")
    .replace(/\[(\d+)\]/g, ".$1")
    .split(".");
  const first = keys[0].replace(/^\$/, "");
  if (first === "json" || first === "input") keys.shift();
  let value: Json | undefined = input;
  for (const key of keys) {
    if (value === null || typeof value !== "object") return undefined;
    const inside: JsonObject | Json[] = value;
    value = Array.isArray(inside)
      ? inside[Number(key)]
      : Object.hasOwn(inside, key)
        ? inside[key]
        : undefined;
    if (value === undefined) return undefined;
  }
  return value;
}

// --- words ---

function lastEvent(history: History, nodeId: string, type: string): JournalEvent | undefined {
  const numbers = history.lanes.get(nodeId)?.events ?? [];
  for (let n = numbers.length - 1; n >= 0; n -= 1) {
    const event = history.events[numbers[n]];
    if (event.type === type) return event;
  }
  return undefined;
}

function hasEnded(store: RunStore, id: string): boolean {
  const n = store.numbers.get(id);
  return n !== undefined && [SUCCESS, ERROR, SKIPPED].includes(store.codes[n]);
}

function word(store: RunStore, id: string): string {
  const row = store.row(id);
  return row ? labelOf(row.code, row.detail).toLowerCase() : "not started";
}

function name(graph: Graph, id: string): string {
  const node = nodeOf(graph, id);
  return node ? titleOf(node) : id;
}

function sentence(text: string): string {
  return `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}
