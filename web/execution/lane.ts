/**
 * One node's past at the top level: its attempts, each from the moment it was due (the first: from its start) to its end, made of
 * segments without a gap. The same as in the server's `execution/timeline.py`; the vectors in tests/vectors hold both to it.
 */

import type { Spans } from "./spans.ts";

/** `down`: the process that ran it had ended, and no other had taken over. `queue`: due, and not begun. */
export type SegmentKind = "queue" | "run" | "backoff" | "wait" | "down";

export interface Segment {
  readonly kind: SegmentKind;
  readonly from: number;
  /** 0 while it goes on. */
  readonly to: number;
  /** What it waits for, for people. */
  readonly text: string;
  /** When a back-off or wait is to end, if that is known. */
  readonly until: number;
}

export type AttemptStatus = "running" | "success" | "error" | "lost" | "cancelled";

export interface Attempt {
  attempt: number;
  status: AttemptStatus;
  readonly segments: Segment[];
  /** Why it ended so. */
  text: string;
}

export class Lane {
  readonly nodeId: string;
  readonly attempts: Attempt[] = [];
  /** It never ran: it was skipped, or its output kept from the run before. */
  instead: { readonly status: "skipped" | "kept"; readonly text: string } | null = null;
  /** Runs in bodies, or a container's iterations. */
  spans: Spans | null = null;
  /** The first start, or what happened instead; 0 for neither. */
  begun = 0;
  /** When its last attempt ended, or what happened instead did. */
  ended = 0;
  /** Its place in the order of first starts; 0 for one that never began. */
  order = 0;
  /** How often it has failed and was tried again, by path. */
  readonly failures = new Map<string, number>();
  /** Numbers into the history's events. */
  readonly events: number[] = [];

  constructor(nodeId: string) {
    this.nodeId = nodeId;
  }

  /** The attempt that goes on. */
  get open(): Attempt | null {
    const last = this.attempts.at(-1);
    return last?.status === "running" ? last : null;
  }

  /** The stretch that goes on, or was the last. */
  get last(): Segment | undefined {
    return this.attempts.at(-1)?.segments.at(-1);
  }

  start(number: number, at: number): void {
    const open = this.open;
    if (!open) return this.begin(number, "run", at);
    const { last } = this;
    if (last?.kind === "backoff") this.turn("queue", Math.min(Math.max(last.until, last.from), at));
    open.attempt = number;
    this.turn("run", at);
  }

  /** Go over to another stretch. */
  turn(kind: SegmentKind, at: number, text = "", until = 0): void {
    const open = this.open;
    if (!open) return;
    shut(open.segments, at);
    open.segments.push({ kind, from: at, to: 0, text, until });
  }

  /** Since it was started it had waited for a place, and ran only from then on. */
  admit(at: number): void {
    const { open, last } = this;
    if (!open || last?.kind !== "run") return;
    open.segments.pop();
    const queued = open.segments.at(-1)?.kind === "queue" ? open.segments.pop()! : last;
    open.segments.push({ ...queued, kind: "queue", to: 0 });
    this.turn("run", Math.max(at, last.from));
  }

  end(status: Exclude<AttemptStatus, "running">, at: number, text = ""): void {
    const open = this.open;
    this.ended = at;
    if (!open) return;
    const { segments } = open;
    const last = segments[segments.length - 1];
    shut(segments, at);
    if (!segments.length) segments.push({ ...last, to: at }); // an attempt that took no time at all
    open.status = status;
    open.text = text;
  }

  /** The process had ended `before`, and another took over. */
  resume(before: number, at: number): void {
    const { open, last } = this;
    if (!open || !last || (last.kind !== "run" && last.kind !== "queue") || at <= before) return;
    this.turn("down", before);
    this.turn(last.kind, at);
  }

  /** An attempt begins, as what comes before it does: a back-off, a queue. */
  begin(number: number, kind: SegmentKind, at: number, text = "", until = 0): void {
    this.attempts.push({
      attempt: number,
      status: "running",
      segments: [{ kind, from: at, to: 0, text, until }],
      text: "",
    });
  }
}

/** End the stretch that is open; what took no time is none. */
function shut(segments: Segment[], at: number): void {
  const last = segments.pop();
  if (last && at > last.from) segments.push({ ...last, to: at });
}
