/**
 * One execution as this client sees it: the fold of the live stream, in columns indexed by node number.
 *
 *   message ──> receive ──> columns, dirty set ──(one animation frame)──> listeners of the nodes that changed
 *
 * The fold is that of `flowscope.live.client_fold`, and the same vectors check both. A status costs a few writes into typed
 * arrays; React hears of it once a frame, and only the cards of what changed. `seq`, `prev` and `after` are as in
 * docs/protocol.md.
 */

import type {
  ExecutionUpdateData,
  Frame,
  NodeEntry,
  NodeLogData,
  NodeProgressData,
  NodeUpdateData,
  RunStatus,
  ServerMessage,
  SnapshotData,
} from "../protocol/messages.ts";
import { LogLines } from "./log-lines.ts";
import { codeOf, IDLE, RUNNING, STATUSES, statusOf } from "./status.ts";

/** What came of a message. `gap`: subscribe again with `after` set to `cursor`. `waiting`: a part; the whole follows. */
export type Outcome = "applied" | "ignored" | "gap" | "waiting";

export interface RunFacts {
  readonly executionId: string;
  readonly status: RunStatus;
  readonly progress: number;
  readonly completedNodes: number;
  readonly totalNodes: number;
  readonly startTime: number;
  readonly duration?: number;
  readonly error?: string;
  readonly detail?: string;
}

/** One node's row, made on demand for a card or the inspector. */
export interface NodeRow {
  readonly nodeId: string;
  readonly name: string;
  readonly code: number;
  readonly detail: string;
  readonly error: string;
  readonly attempt: number;
  /** Whole percent, or -1. */
  readonly progress: number;
  /** Epoch milliseconds; 0 before its start. */
  readonly startTime: number;
  /** Milliseconds, or -1 while it has not ended. */
  readonly duration: number;
  readonly timestamp: number;
  /** When it goes on by itself, in epoch milliseconds; 0 where that is not known. */
  readonly until: number;
  /** By which handle its answer left, of a node that has given one and stands in no body. */
  readonly handle: string;
  readonly total: number;
  readonly done: number;
  readonly failed: number;
  /** The end of what it streamed, of its current attempt. */
  readonly streamed: string;
}

export type Schedule = (flush: () => void) => void;
export type Listener = () => void;
export type DirtyListener = (dirty: readonly number[]) => void;

const STREAM_SHOWN = 600;

export class RunStore {
  readonly executionId: string;
  cursor = -1;
  caughtUp = false;
  gap = false;
  /** How often it was brought up to date. What has no number, such as log lines, may have been missed each time. */
  arrivals = 0;
  workflowId = "";
  run: RunFacts | null = null;
  /** Node ids in the order of the definition. */
  ids: string[] = [];
  readonly numbers = new Map<string, number>();

  names: string[] = [];
  details: string[] = [];
  errors: string[] = [];
  handles: string[] = [];
  streams: string[] = [];
  codes = new Uint8Array(0);
  attempts = new Uint32Array(0);
  progress = new Int16Array(0);
  startTimes = new Float64Array(0);
  durations = new Float64Array(0);
  timestamps = new Float64Array(0);
  untils = new Float64Array(0);
  totals = new Uint32Array(0);
  dones = new Uint32Array(0);
  faileds = new Uint32Array(0);
  /** How many nodes have each status, by code. */
  counts = new Uint32Array(STATUSES.length);

  readonly logs = new LogLines();

  readonly #schedule: Schedule;
  readonly #nodeListeners = new Map<string, Set<Listener>>();
  readonly #runListeners = new Set<Listener>();
  readonly #dirtyListeners = new Set<DirtyListener>();
  readonly #rows = new Map<string, NodeRow>();
  #pages: SnapshotData[] = [];
  #dirty: number[] = [];
  #marks = new Uint8Array(0);
  #runDirty = false;
  #scheduled = false;
  /** Rises with every flush that changed something. */
  version = 0;

  constructor(executionId: string, schedule: Schedule) {
    this.executionId = executionId;
    this.#schedule = schedule;
  }

  get ended(): boolean {
    const status = this.run?.status;
    return status === "success" || status === "failed" || status === "cancelled";
  }

  // --- reading ---

  row(nodeId: string): NodeRow | null {
    const known = this.#rows.get(nodeId);
    if (known) return known;
    const n = this.numbers.get(nodeId);
    if (n === undefined) return null;
    const row: NodeRow = {
      nodeId,
      name: this.names[n],
      code: this.codes[n],
      detail: this.details[n],
      error: this.errors[n],
      attempt: this.attempts[n],
      progress: this.progress[n],
      startTime: this.startTimes[n],
      duration: this.durations[n],
      timestamp: this.timestamps[n],
      until: this.untils[n],
      handle: this.handles[n],
      total: this.totals[n],
      done: this.dones[n],
      failed: this.faileds[n],
      streamed: this.streams[n],
    };
    this.#rows.set(nodeId, row);
    return row;
  }

  /** Everything as one value, as the server's snapshot says it, but for `visual`, which follows from the rest. */
  state(): Record<string, unknown> {
    return {
      seq: this.cursor,
      ...this.run,
      executionId: this.executionId,
      nodes: this.ids.map((_, n) => this.#entry(n)),
    };
  }

  // --- listening: called once a frame ---

  subscribeNode(nodeId: string, listener: Listener): () => void {
    let listeners = this.#nodeListeners.get(nodeId);
    if (!listeners) {
      listeners = new Set();
      this.#nodeListeners.set(nodeId, listeners);
    }
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (!listeners.size) this.#nodeListeners.delete(nodeId);
    };
  }

  /** The run's facts, the counts, the cursor. */
  subscribeRun(listener: Listener): () => void {
    this.#runListeners.add(listener);
    return () => this.#runListeners.delete(listener);
  }

  /** The numbers of the nodes that changed since the last frame. */
  subscribeDirty(listener: DirtyListener): () => void {
    this.#dirtyListeners.add(listener);
    return () => this.#dirtyListeners.delete(listener);
  }

  // --- the fold ---

  receive(message: ServerMessage): Outcome {
    if ("messages" in message)
      return message.executionId === this.executionId ? this.#frame(message) : "ignored";
    switch (message.type) {
      case "EXECUTION_SNAPSHOT":
        return this.#mine(message.data) ? this.#snapshot(message.data) : "ignored";
      case "NODE_UPDATE":
        if (!this.#mine(message.data)) return "ignored";
        return message.data.seq === undefined
          ? this.#progressed(message.data)
          : this.#single(message.data.seq, message.data.more === true, () => this.#node(message.data));
      case "EXECUTION_UPDATE":
        if (!this.#mine(message.data)) return "ignored";
        return this.#single(message.data.seq, false, () => this.#facts(message.data));
      case "NODE_PROGRESS":
        return this.#mine(message.data) ? this.#progressed(message.data) : "ignored";
      case "NODE_LOG":
        return this.#mine(message.data) ? this.#logged(message.data) : "ignored";
      case "CAUGHT_UP":
        if (!this.#mine(message) || this.gap) return "ignored";
        this.caughtUp = true;
        this.arrivals += 1;
        this.#touchRun();
        return "applied";
      case "LAGGED":
        if (!this.#mine(message)) return "ignored";
        this.caughtUp = false;
        this.#touchRun();
        return "waiting";
      default:
        return "ignored";
    }
  }

  #mine(part: { executionId?: string }): boolean {
    return part.executionId === this.executionId;
  }

  #frame(frame: Frame): Outcome {
    if (frame.prev === this.cursor) {
      for (const message of frame.messages) {
        if (message.type === "NODE_UPDATE") this.#node(message.data);
        else this.#facts(message.data);
      }
      this.cursor = frame.seq;
      this.gap = false;
      this.#touchRun();
      return "applied";
    }
    if (frame.seq <= this.cursor) return "ignored";
    this.gap = true;
    this.caughtUp = false;
    this.#touchRun();
    return "gap";
  }

  #single(seq: number, more: boolean, apply: () => void): Outcome {
    if (seq <= this.cursor) return "ignored";
    apply();
    if (!more) this.cursor = seq;
    this.#touchRun();
    return "applied";
  }

  #snapshot(data: SnapshotData): Outcome {
    if ((data.page ?? 1) === 1) this.#pages = [];
    this.#pages.push(data);
    if (this.#pages.length < (data.pages ?? 1)) return "waiting";
    const pages = this.#pages;
    this.#pages = [];
    this.workflowId = data.workflowId ?? this.workflowId;
    this.#facts(data);
    this.#replace(pages.flatMap((page) => page.nodes));
    this.cursor = data.seq;
    this.gap = false;
    this.arrivals += 1;
    return "applied";
  }

  #replace(entries: readonly NodeEntry[]): void {
    const same =
      entries.length === this.ids.length && entries.every((entry, n) => entry.nodeId === this.ids[n]);
    if (!same) this.#allocate(entries.map((entry) => entry.nodeId));
    for (const entry of entries) this.#node(entry);
  }

  #allocate(ids: string[]): void {
    this.ids = ids;
    this.numbers.clear();
    ids.forEach((id, n) => {
      this.numbers.set(id, n);
    });
    this.counts.fill(0);
    this.counts[IDLE] = ids.length;
    this.#rows.clear();
    this.names = ids.slice();
    this.details = new Array<string>(ids.length).fill("");
    this.errors = new Array<string>(ids.length).fill("");
    this.handles = new Array<string>(ids.length).fill("output");
    this.streams = new Array<string>(ids.length).fill("");
    this.#resize(ids.length, false);
  }

  /** Columns for `size` nodes; those that are there are kept if `keep`. */
  #resize(size: number, keep: boolean): void {
    const room = keep ? Math.max(64, size * 2) : size;
    const grown = <Column extends Uint8Array | Uint32Array | Int16Array | Float64Array>(
      old: Column,
      made: Column,
    ): Column => {
      if (keep) made.set(old);
      return made;
    };
    this.codes = grown(this.codes, new Uint8Array(room));
    this.#marks = grown(this.#marks, new Uint8Array(room));
    this.attempts = grown(this.attempts, new Uint32Array(room));
    this.progress = grown(this.progress, new Int16Array(room).fill(-1));
    this.startTimes = grown(this.startTimes, new Float64Array(room));
    this.durations = grown(this.durations, new Float64Array(room).fill(-1));
    this.timestamps = grown(this.timestamps, new Float64Array(room));
    this.untils = grown(this.untils, new Float64Array(room));
    this.totals = grown(this.totals, new Uint32Array(room));
    this.dones = grown(this.dones, new Uint32Array(room));
    this.faileds = grown(this.faileds, new Uint32Array(room));
    if (!keep) this.#dirty = [];
  }

  /** Without a definition nodes appear as they are told of. */
  #number(nodeId: string): number {
    const known = this.numbers.get(nodeId);
    if (known !== undefined) return known;
    const n = this.ids.length;
    if (n >= this.codes.length) this.#resize(n + 1, true);
    this.ids = [...this.ids, nodeId];
    this.numbers.set(nodeId, n);
    this.names[n] = nodeId;
    this.details[n] = this.errors[n] = this.streams[n] = "";
    this.handles[n] = "output";
    this.counts[IDLE] += 1;
    return n;
  }

  #node(entry: NodeEntry | NodeUpdateData): void {
    const n = this.#number(entry.nodeId);
    const detail = entry.detail ?? "";
    const code = codeOf(entry.status, detail);
    const attempt = entry.attempt ?? 1;
    if (code !== this.codes[n]) {
      this.counts[this.codes[n]] -= 1;
      this.counts[code] += 1;
      this.codes[n] = code;
    }
    if (attempt !== this.attempts[n]) this.streams[n] = "";
    this.names[n] = entry.nodeName;
    this.details[n] = detail;
    this.errors[n] = entry.error ?? "";
    this.handles[n] = entry.handle ?? "output";
    this.attempts[n] = attempt;
    this.progress[n] = entry.progress ?? -1;
    this.startTimes[n] = entry.startTime ?? 0;
    this.durations[n] = entry.duration ?? -1;
    this.timestamps[n] = entry.timestamp;
    this.untils[n] = entry.until ?? 0;
    this.totals[n] = entry.iterations?.total ?? 0;
    this.dones[n] = entry.iterations?.done ?? 0;
    this.faileds[n] = entry.iterations?.failed ?? 0;
    this.#touch(n);
    this.#runDirty = true;
  }

  #facts(data: ExecutionUpdateData | SnapshotData): void {
    const facts: { -readonly [Key in keyof RunFacts]: RunFacts[Key] } = {
      executionId: this.executionId,
      status: data.status,
      progress: data.progress,
      completedNodes: data.completedNodes,
      totalNodes: data.totalNodes,
      startTime: data.startTime,
    };
    if (data.duration !== undefined) facts.duration = data.duration;
    if (data.error !== undefined) facts.error = data.error;
    if (data.detail !== undefined) facts.detail = data.detail;
    this.run = facts;
    this.#touchRun();
  }

  #progressed(data: NodeProgressData | NodeUpdateData): Outcome {
    const n = this.numbers.get(data.nodeId);
    if (n === undefined || this.codes[n] !== RUNNING || ("path" in data && data.path)) return "ignored";
    if ((data.attempt ?? 1) !== this.attempts[n] || data.progress === undefined) return "ignored";
    this.progress[n] = data.progress;
    this.details[n] = data.detail ?? "";
    this.#touch(n);
    return "applied";
  }

  #logged(data: NodeLogData): Outcome {
    this.logs.add(data);
    const n = this.numbers.get(data.nodeId);
    if (n !== undefined && data.kind === "stream" && !data.path) {
      this.streams[n] = (this.streams[n] + data.text).slice(-STREAM_SHOWN);
      this.#touch(n);
    }
    this.#request();
    return "applied";
  }

  #entry(n: number): Record<string, unknown> {
    const entry: Record<string, unknown> = {
      nodeId: this.ids[n],
      nodeName: this.names[n],
      status: statusOf(this.codes[n]),
      timestamp: this.timestamps[n],
    };
    if (this.durations[n] >= 0) entry.duration = this.durations[n];
    if (this.progress[n] >= 0) entry.progress = this.progress[n];
    if (this.errors[n]) entry.error = this.errors[n];
    if (this.details[n]) entry.detail = this.details[n];
    if (this.startTimes[n]) entry.startTime = this.startTimes[n];
    if (this.attempts[n] > 1) entry.attempt = this.attempts[n];
    if (this.untils[n]) entry.until = this.untils[n];
    if (this.handles[n] !== "output") entry.handle = this.handles[n];
    if (this.totals[n] || this.dones[n] || this.faileds[n]) {
      entry.iterations = { total: this.totals[n], done: this.dones[n], failed: this.faileds[n] };
    }
    return entry;
  }

  // --- the frame ---

  #touch(n: number): void {
    if (!this.#marks[n]) {
      this.#marks[n] = 1;
      this.#dirty.push(n);
    }
    this.#rows.delete(this.ids[n]);
    this.#request();
  }

  #touchRun(): void {
    this.#runDirty = true;
    this.#request();
  }

  #request(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#schedule(() => this.flush());
  }

  /** Tell the listeners; called by the schedule once a frame. */
  flush(): void {
    this.#scheduled = false;
    const dirty = this.#dirty;
    const tellRun = this.#runDirty;
    this.#dirty = [];
    this.#runDirty = false;
    this.version += 1;
    for (const n of dirty) this.#marks[n] = 0;
    this.logs.flush();
    if (dirty.length) {
      for (const listener of this.#dirtyListeners) listener(dirty);
      for (const n of dirty) {
        const listeners = this.#nodeListeners.get(this.ids[n]);
        if (listeners) for (const listener of [...listeners]) listener();
      }
    }
    if (tellRun) for (const listener of [...this.#runListeners]) listener();
  }
}
