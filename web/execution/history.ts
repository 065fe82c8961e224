/**
 * What has happened in a run, attempt by attempt: its journal folded into lanes.
 *
 *   events (without payloads) ──> lanes, stops, pauses
 *
 * The run store says how things are; this says how they came to be. Times are epoch milliseconds, and never run backwards; `to` 0
 * is not yet.
 */

import type { JournalEvent } from "./api.ts";
import { Lane } from "./lane.ts";
import { Spans } from "./spans.ts";
import { ERROR, SKIPPED, SUCCESS, WAITING } from "./status.ts";

/** The process ended, and another took over. */
export interface Stop {
  readonly from: number;
  readonly to: number;
  readonly epoch: number;
}

export interface Pause {
  readonly from: number;
  to: number;
}

export class History {
  /** Those of iterations with the path of theirs, `iteration`. */
  readonly events: JournalEvent[] = [];
  readonly lanes = new Map<string, Lane>();
  readonly stops: Stop[] = [];
  readonly pauses: Pause[] = [];
  cursor = 0;
  startedAt = 0;
  endedAt = 0;
  /** The time of the last event. */
  lastAt = 0;

  add(event: JournalEvent): void {
    if (event.seq <= this.cursor) return;
    this.cursor = event.seq;
    const at = Math.max(event.at, this.lastAt);
    const lean = withoutPayloads(event);
    this.events.push(lean);
    if (lean.nodeId !== undefined) this.#node(lean, lean.nodeId, at);
    else this.#run(lean, at);
    this.lastAt = at;
  }

  #run(event: JournalEvent, at: number): void {
    switch (event.type) {
      case "ExecutionStarted":
        this.startedAt = at;
        return;
      case "ExecutionPaused":
        this.pauses.push({ from: at, to: 0 });
        return;
      case "ExecutionResumed":
        this.#endPause(at);
        return;
      case "ExecutionRecovered":
        this.stops.push({ from: this.lastAt, to: at, epoch: Number(event.epoch ?? 0) });
        for (const lane of this.lanes.values()) lane.resume(this.lastAt, at);
        return;
      case "ExecutionSucceeded":
      case "ExecutionFailed":
      case "ExecutionCancelled":
        this.endedAt = at;
        this.#endPause(at);
        for (const lane of this.lanes.values()) {
          if (lane.open) lane.end("cancelled", at);
          lane.spans?.endAll(at, SKIPPED);
        }
    }
  }

  #endPause(at: number): void {
    const last = this.pauses.at(-1);
    if (last && !last.to) last.to = at;
  }

  #node(event: JournalEvent, nodeId: string, at: number): void {
    const path = event.path ?? "";
    let lane = this.lanes.get(nodeId);
    if (!lane) {
      lane = new Lane(nodeId);
      this.lanes.set(nodeId, lane);
    }
    lane.events.push(this.events.length - 1);
    const began = Math.min(Number(event.beganAt ?? 0), at);
    if (began && path) lane.spans?.admit(path, began);
    else if (began) lane.admit(began);
    if (event.type === "NodeFailed" && event.retryAt)
      lane.failures.set(path, (lane.failures.get(path) ?? 0) + 1);
    if (event.type.startsWith("Iteration")) {
      const own = iterationPath(path, lane, Number(event.index ?? 0));
      this.events[this.events.length - 1] = { ...event, iteration: own };
      iteration(event, lane, own, at);
    } else if (path) this.#inBody(event, lane, path, at);
    else this.#attempt(event, lane, at);
  }

  #begin(lane: Lane, at: number): void {
    if (lane.begun) return;
    lane.begun = at;
    lane.order = this.cursor;
  }

  #attempt(event: JournalEvent, lane: Lane, at: number): void {
    const attempt = event.attempt ?? 1;
    switch (event.type) {
      case "NodeStarted":
        this.#begin(lane, at);
        lane.start(attempt, at);
        return;
      case "NodeAdopted":
        this.#begin(lane, at);
        lane.instead = { status: "kept", text: "" };
        lane.ended = at;
        return;
      case "NodeSkipped":
        lane.begun ||= at;
        lane.instead = { status: "skipped", text: String(event.reason ?? "") };
        lane.ended = at;
        return;
      case "NodeSuspended":
        lane.turn("wait", at, waitOf(event), Number(event.until ?? 0));
        return;
      case "NodeReleased":
        lane.turn("queue", at);
        return;
      case "NodeSucceeded":
        lane.end("success", at, String(event.origin ?? ""));
        return;
      case "NodeCancelled":
        lane.end("cancelled", at, String(event.reason ?? ""));
        return;
      case "NodeFailed":
        lane.end("error", at, messageOf(event));
        if (event.retryAt) lane.begin(attempt + 1, "backoff", at, "", Number(event.retryAt));
        return;
      case "NodeLost":
        lane.end("lost", at);
        if (event.outcome === "ask") lane.begin(attempt + 1, "wait", at, "an answer, whether to run again");
        else lane.begin(attempt + 1, "queue", at);
    }
  }

  #inBody(event: JournalEvent, lane: Lane, path: string, at: number): void {
    lane.spans ??= new Spans();
    const { spans } = lane;
    switch (event.type) {
      case "NodeStarted":
        this.#begin(lane, at);
        if ((event.attempt ?? 1) > 1 && spans.indexOf(path) >= 0) spans.end(path, at, ERROR);
        spans.begin(path, at);
        return;
      case "NodeAdopted":
      case "NodeSucceeded":
        spans.end(path, at, SUCCESS);
        return;
      case "NodeFailed":
      case "NodeLost":
        spans.end(path, at, ERROR);
        return;
      case "NodeCancelled":
        spans.end(path, at, SKIPPED);
        return;
      case "NodeSuspended":
        spans.mark(path, WAITING);
    }
  }
}

function iteration(event: JournalEvent, lane: Lane, own: string, at: number): void {
  lane.spans ??= new Spans();
  if (event.type === "IterationStarted") lane.spans.begin(own, at);
  else if (event.type === "IterationFailed") lane.spans.end(own, at, ERROR);
  else lane.spans.end(own, at, SUCCESS);
}

/** `outer[3].inner[5]`; of a container's second attempt `outer#2[0]`. */
function iterationPath(path: string, { nodeId, failures }: Lane, index: number): string {
  const attempt = 1 + (failures.get(path) ?? 0);
  const step = `${nodeId.replace(/[%[\]#]/g, encodeURIComponent)}${attempt > 1 ? `#${attempt}` : ""}[${index}]`;
  return path ? `${path}.${step}` : step;
}

/** Why something failed, in the words of the error. */
export function messageOf(event: JournalEvent): string {
  const error = event.error as { message?: string } | undefined;
  return error?.message ?? "";
}

function waitOf(event: JournalEvent): string {
  const kind = String(event.kind ?? "duration");
  if (kind === "approval") return "an approval";
  if (kind === "form") return "a form";
  if (kind === "rate_limit") return "its turn";
  if (event.signal) return `the signal ${String(event.signal)}`;
  if (event.child) return `the run ${String(event.child)}`;
  return "its time";
}

/** Payloads are read one at a time, when somebody looks at one. */
const PAYLOADS = ["input", "output", "items", "memo", "value", "otherwise", "body"];

function withoutPayloads(event: JournalEvent): JournalEvent {
  const lean: Record<string, unknown> = { ...event };
  for (const key of PAYLOADS) delete lean[key];
  return lean as JournalEvent;
}
