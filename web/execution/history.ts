/**
 * What has happened in a run, attempt by attempt: its journal, read over HTTP as it grows, and folded into lanes.
 *
 *   store's cursor moves ──> read what is new ──> events (without payloads) ──> lanes, marks, pauses ──> listeners
 *
 * The run store says how things are; this says how they came to be. Times are epoch milliseconds; `to` 0 is not yet.
 */

import type { JournalEvent } from "./api.ts";
import { ERROR, PENDING, RUNNING, type ShownStatus, SKIPPED, STATUSES, SUCCESS, WAITING } from "./status.ts";

/** A stretch of a node's time: `run` an attempt, `backoff` until the next one, `wait` for an instant, an answer, a child. */
export interface Segment {
  readonly kind: "run" | "backoff" | "wait";
  readonly attempt: number;
  readonly from: number;
  readonly to: number;
  readonly status: ShownStatus;
  /** What it waits for, or why it ended so; for people. */
  readonly text: string;
  /** When a back-off or wait is to end, if that is known. */
  readonly until: number;
}

/** What ran in iterations: of a container its iterations, of a node in a body its runs. In order of their starts. */
export class Spans {
  readonly from: number[] = [];
  readonly to: number[] = [];
  readonly codes: number[] = [];
  readonly paths: string[] = [];
  readonly #last = new Map<string, number>();
  failed = 0;
  ended = 0;

  begin(path: string, at: number): void {
    this.#last.set(path, this.from.length);
    this.from.push(at);
    this.to.push(0);
    this.codes.push(RUNNING);
    this.paths.push(path);
  }

  mark(path: string, code: number): void {
    const n = this.#last.get(path);
    if (n !== undefined && !this.to[n]) this.codes[n] = code;
  }

  end(path: string, at: number, code: number): void {
    const n = this.#last.get(path);
    if (n === undefined || this.to[n]) return;
    this.#close(n, at, code);
  }

  endAll(at: number, code: number): void {
    for (const n of this.#last.values()) if (!this.to[n]) this.#close(n, at, code);
  }

  indexOf(path: string): number {
    return this.#last.get(path) ?? -1;
  }

  #close(n: number, at: number, code: number): void {
    this.to[n] = at;
    this.codes[n] = code;
    this.ended += 1;
    if (code === ERROR) this.failed += 1;
  }
}

/** One node's past. */
export interface Lane {
  readonly nodeId: string;
  /** Of its attempts at the top level. */
  segments: Segment[];
  /** Runs in bodies, or a container's iterations. */
  spans: Spans | null;
  /** The first start, or the skip; 0 for neither. */
  begun: number;
  /** Its place in the order of first starts. */
  order: number;
  /** Numbers into `events`. */
  readonly events: number[];
}

export interface Mark {
  readonly at: number;
  /** How long nothing happened before it. */
  readonly gap: number;
}

export interface Pause {
  readonly from: number;
  to: number;
}

type Read = (after: number, limit: number) => Promise<{ events: JournalEvent[]; more: boolean }>;

/** The fold, without the reading. */
export class History {
  readonly events: JournalEvent[] = [];
  readonly lanes = new Map<string, Lane>();
  readonly marks: Mark[] = [];
  readonly pauses: Pause[] = [];
  cursor = 0;
  startedAt = 0;
  endedAt = 0;
  /** The time of the last event. */
  lastAt = 0;

  add(event: JournalEvent): void {
    if (event.seq <= this.cursor) return;
    this.cursor = event.seq;
    const lean = withoutPayloads(event);
    this.events.push(lean);
    if (lean.nodeId !== undefined) this.#node(lean, lean.nodeId, lean.path ?? "");
    else this.#run(lean);
    this.lastAt = event.at;
  }

  #run(event: JournalEvent): void {
    switch (event.type) {
      case "ExecutionStarted":
        this.startedAt = event.at;
        return;
      case "ExecutionPaused":
        this.pauses.push({ from: event.at, to: 0 });
        return;
      case "ExecutionResumed":
        this.#endPause(event.at);
        return;
      case "ExecutionRecovered":
        this.marks.push({ at: event.at, gap: this.lastAt ? event.at - this.lastAt : 0 });
        return;
      case "ExecutionSucceeded":
      case "ExecutionFailed":
      case "ExecutionCancelled":
        this.endedAt = event.at;
        this.#endPause(event.at);
        for (const lane of this.lanes.values()) {
          closeLast(lane, event.at, "skipped");
          lane.spans?.endAll(event.at, SKIPPED);
        }
    }
  }

  #endPause(at: number): void {
    const last = this.pauses.at(-1);
    if (last && !last.to) last.to = at;
  }

  #node(event: JournalEvent, nodeId: string, path: string): void {
    const lane = this.#lane(nodeId);
    lane.events.push(this.events.length - 1);
    if (event.type.startsWith("Iteration")) this.#iteration(event, lane, path);
    else if (path) this.#inBody(event, lane, path);
    else this.#attempt(event, lane);
  }

  #lane(nodeId: string): Lane {
    let lane = this.lanes.get(nodeId);
    if (!lane) {
      lane = { nodeId, segments: [], spans: null, begun: 0, order: 0, events: [] };
      this.lanes.set(nodeId, lane);
    }
    return lane;
  }

  #begin(lane: Lane, at: number): void {
    if (lane.begun) return;
    lane.begun = at;
    lane.order = this.cursor;
  }

  #attempt(event: JournalEvent, lane: Lane): void {
    const { at } = event;
    const attempt = event.attempt ?? 1;
    switch (event.type) {
      case "NodeStarted":
        this.#begin(lane, at);
        closeLast(lane, at, "pending");
        lane.segments.push({
          kind: "run",
          attempt,
          from: at,
          to: 0,
          status: "running",
          text: "",
          until: 0,
        });
        return;
      case "NodeAdopted":
      case "NodeSucceeded":
        if (!lane.segments.length) this.#point(lane, at, attempt, "success", String(event.origin ?? ""));
        else closeLast(lane, at, "success", String(event.origin ?? ""));
        return;
      case "NodeFailed": {
        closeLast(lane, at, "error", messageOf(event));
        const until = Number(event.retryAt ?? 0);
        if (until)
          lane.segments.push({
            kind: "backoff",
            attempt: attempt + 1,
            from: at,
            to: 0,
            status: "pending",
            text: `attempt ${attempt + 1} follows`,
            until,
          });
        return;
      }
      case "NodeLost":
        closeLast(
          lane,
          this.marks.at(-1)?.at === at ? at - (this.marks.at(-1)?.gap ?? 0) : at,
          "error",
          "lost",
        );
        if (event.outcome === "ask")
          lane.segments.push({
            kind: "wait",
            attempt,
            from: at,
            to: 0,
            status: "waiting",
            text: "asks whether to run again",
            until: 0,
          });
        return;
      case "NodeCancelled":
        closeLast(lane, at, "skipped", String(event.reason || "cancelled"));
        return;
      case "NodeSkipped":
        if (!lane.segments.length) this.#point(lane, at, 0, "skipped", String(event.reason ?? ""));
        return;
      case "NodeSuspended":
        closeLast(lane, at, "success");
        lane.segments.push({
          kind: "wait",
          attempt,
          from: at,
          to: 0,
          status: "waiting",
          text: waitOf(event),
          until: Number(event.until ?? 0),
        });
    }
  }

  #point(lane: Lane, at: number, attempt: number, status: ShownStatus, text: string): void {
    this.#begin(lane, at);
    lane.segments.push({ kind: "run", attempt, from: at, to: at, status, text, until: 0 });
  }

  #inBody(event: JournalEvent, lane: Lane, path: string): void {
    lane.spans ??= new Spans();
    const { spans } = lane;
    switch (event.type) {
      case "NodeStarted":
        this.#begin(lane, event.at);
        if ((event.attempt ?? 1) > 1 && spans.indexOf(path) >= 0) spans.end(path, event.at, ERROR);
        spans.begin(path, event.at);
        return;
      case "NodeAdopted":
      case "NodeSucceeded":
        spans.end(path, event.at, SUCCESS);
        return;
      case "NodeFailed":
      case "NodeLost":
        spans.end(path, event.at, ERROR);
        return;
      case "NodeCancelled":
        spans.end(path, event.at, SKIPPED);
        return;
      case "NodeSuspended":
        spans.mark(path, WAITING);
    }
  }

  #iteration(event: JournalEvent, lane: Lane, path: string): void {
    lane.spans ??= new Spans();
    const own = iterationPath(path, lane.nodeId, Number(event.index ?? 0));
    if (event.type === "IterationStarted") lane.spans.begin(own, event.at);
    else if (event.type === "IterationFailed") lane.spans.end(own, event.at, ERROR);
    else lane.spans.end(own, event.at, SUCCESS);
  }
}

/** `outer[3].inner[5]` */
export function iterationPath(path: string, nodeId: string, index: number): string {
  return path ? `${path}.${nodeId}[${index}]` : `${nodeId}[${index}]`;
}

function closeLast(lane: Lane, at: number, status: ShownStatus, text = ""): void {
  const last = lane.segments.at(-1);
  if (!last || last.to) return;
  const kept = last.kind === "run" || status === "error" ? status : last.status;
  lane.segments[lane.segments.length - 1] = { ...last, to: at, status: kept, text: text || last.text };
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

/** The status of the lane's last stretch, for a row that is shown. */
export function codeOfLane(lane: Lane | undefined): number {
  const last = lane?.segments.at(-1);
  if (!last) return PENDING;
  return STATUSES.indexOf(last.status);
}

const PAGE = 10_000;
const LEAST_PAUSE = 300;

/** A history that follows its run. */
export class RunHistory extends History {
  state: "loading" | "ready" | "failed" = "loading";
  error = "";
  version = 0;
  readonly #read: Read;
  readonly #listeners = new Set<() => void>();
  #reading = false;
  #wanted = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(read: Read) {
    super();
    this.#read = read;
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** There are events up to this one. */
  want(seq: number): void {
    this.#wanted = Math.max(this.#wanted, seq);
    if (this.#reading || this.#timer !== undefined || (this.state === "ready" && this.cursor >= this.#wanted))
      return;
    void this.#catchUp();
  }

  /** Events that somebody else has read. Nobody is told: whoever takes them is about to look. */
  take(events: readonly JournalEvent[]): void {
    if (!events.length) return;
    for (const event of events) this.add(event);
    this.state = "ready";
    this.version += 1;
  }

  async #catchUp(): Promise<void> {
    this.#reading = true;
    try {
      for (let more = true; more; ) {
        const page = await this.#read(this.cursor, PAGE);
        for (const event of page.events) this.add(event);
        more = page.more && page.events.length > 0;
        this.#tell("ready", "");
      }
    } catch (failed) {
      this.#tell("failed", failed instanceof Error ? failed.message : String(failed));
    }
    this.#reading = false;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#listeners.size) this.want(this.#wanted);
    }, LEAST_PAUSE);
  }

  #tell(state: RunHistory["state"], error: string): void {
    this.state = state;
    this.error = error;
    this.version += 1;
    for (const listener of [...this.#listeners]) listener();
  }
}
