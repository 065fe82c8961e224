/**
 * Where the time of a run went, of its top level: attempts from the moment they were due, the chain of causes that the end hung
 * on, and how much later a node could have ended. The server tells the same (`GET …/timeline`, `execution/timeline.py`).
 */

import type { JournalEvent } from "./api.ts";
import { Bodies } from "./bodies.ts";
import { Causes, type Graph, type RoleOf, shapeOf } from "./causes.ts";
import type { History } from "./history.ts";
import type { Attempt, Segment } from "./lane.ts";

export interface TimedNode {
  readonly nodeId: string;
  /** Of its last attempt; `skipped` or `kept` for one that never ran; empty for one that was due only. */
  readonly status: string;
  readonly due: number;
  readonly end: number;
  readonly attempts: readonly Attempt[];
  readonly critical: boolean;
  /** How much later it could have ended without the run ending later, in milliseconds. */
  readonly slack: number;
}

export interface Timeline {
  readonly nodes: ReadonlyMap<string, TimedNode>;
  readonly criticalPath: readonly string[];
  /** In how many iterations that have ended a node was on the critical path of its iteration. */
  readonly bodies: ReadonlyMap<string, number>;
  /** How much of the critical path nodes were running. */
  readonly work: number;
}

/** What the events of a history caused, one after the other. */
export class Clockwork {
  readonly causes: Causes;
  readonly bodies: Bodies;
  /** How many were taken. */
  taken = 0;
  #at = 0;

  constructor(graph: Graph, roleOf: RoleOf) {
    this.causes = new Causes(shapeOf(graph, roleOf));
    this.bodies = new Bodies(graph, roleOf);
  }

  take(event: JournalEvent): void {
    this.taken += 1;
    this.#at = Math.max(event.at, this.#at); // times never run backwards
    if (event.path || event.iteration) this.bodies.take(event, this.#at);
    else this.causes.take(event, this.#at);
  }
}

/** `now`: until when what has not ended goes on. */
export function timelineOf(history: History, { causes, bodies }: Clockwork, now: number): Timeline {
  const { places } = causes.shape;
  const end = history.endedAt || Math.max(now, history.lastAt);
  const told = causes.due.map((due, n) => due && toldOf(history, places[n].id, due.at, end));
  const path = causes.chain(history.endedAt !== 0);
  const onPath = new Set(path);
  const slack = slackOf(causes, told, end);
  const nodes = new Map<string, TimedNode>();
  told.forEach((node, n) => {
    if (node) nodes.set(node.nodeId, { ...node, critical: onPath.has(n), slack: slack[n] });
  });
  const work = path.reduce((sum, n) => sum + workOf(told[n]!.attempts, end), 0);
  return { nodes, criticalPath: path.map((n) => places[n].id), bodies: bodies.critical, work };
}

type Told = Pick<TimedNode, "nodeId" | "status" | "due" | "end" | "attempts">;

function toldOf(history: History, nodeId: string, due: number, end: number): Told {
  const lane = history.lanes.get(nodeId);
  if (lane?.instead) return { nodeId, status: lane.instead.status, due, end: lane.ended, attempts: [] };
  if (!lane?.attempts.length) {
    if (history.endedAt) return { nodeId, status: "", due, end: due, attempts: [] };
    const waits: Attempt = { attempt: 1, status: "running", segments: queueOf(history, due, 0), text: "" };
    return { nodeId, status: "running", due, end, attempts: [waits] };
  }
  const { attempts } = lane;
  const first = attempts[0];
  const [start] = first.segments;
  // What waited for a place after it was taken up was queued all along.
  const queued = start.kind === "queue";
  const queue = queueOf(history, due, queued ? start.to : start.from);
  const rest = queued ? first.segments.slice(1) : ran(first);
  const all = queue.length ? [{ ...first, segments: [...queue, ...rest] }, ...attempts.slice(1)] : attempts;
  const last = attempts[attempts.length - 1];
  return { nodeId, status: last.status, due, end: lane.open ? end : lane.ended, attempts: all };
}

/** Of an attempt that took no time at all, that it ran is not told beside how long it was queued. */
function ran(attempt: Attempt): readonly Segment[] {
  return attempt.segments.filter((segment) => segment.to !== segment.from);
}

/** What it was due for and not begun, without the time in which no process could have begun it. `to` 0: it still is. */
function queueOf(history: History, due: number, to: number): Segment[] {
  const segments: Segment[] = [];
  let from = due;
  const add = (kind: Segment["kind"], until: number) => {
    if (until === 0 || until > from) segments.push({ kind, from, to: until, text: "", until: 0 });
    from = until;
  };
  for (const stop of history.stops) {
    if (stop.to <= due || (to && stop.to > to) || stop.to <= stop.from) continue;
    add("queue", Math.max(due, stop.from));
    add("down", stop.to);
  }
  add("queue", to);
  return segments;
}

function slackOf(causes: Causes, told: readonly (Told | undefined)[], end: number): number[] {
  const { places, order } = causes.shape;
  const slack: number[] = places.map(() => 0);
  for (let at = order.length - 1; at >= 0; at -= 1) {
    const n = order[at];
    const node = told[n];
    if (!node) continue;
    let least = end - node.end;
    for (const targets of places[n].routes.values())
      for (const target of targets) {
        const behind = told[target];
        const firstCome = places[target].any && causes.due[target]?.cause !== n;
        if (behind && !firstCome && behind.due >= node.end)
          least = Math.min(least, behind.due - node.end + slack[target]);
      }
    slack[n] = Math.max(0, least);
  }
  return slack;
}

function workOf(attempts: readonly Attempt[], end: number): number {
  let sum = 0;
  for (const { segments } of attempts)
    for (const { kind, from, to } of segments) if (kind === "run") sum += (to || end) - from;
  return sum;
}
