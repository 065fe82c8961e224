/** A node's attempts, from the events about it. */

import type { JournalEvent } from "../execution/api.ts";
import { type History, messageOf } from "../execution/history.ts";
import type { Lane, SegmentKind } from "../execution/lane.ts";
import type { ShownStatus } from "../execution/status.ts";
import { duration } from "../theme/format.ts";

export interface AttemptFacts {
  readonly attempt: number;
  readonly from: number;
  /** 0 while it has not ended. */
  readonly to: number;
  readonly status: ShownStatus;
  readonly word: string;
  readonly message: string;
  /** When the next one is due, 0 for none. */
  readonly retryAt: number;
  readonly seq: number;
  /** Where its time went, where it is more than running: `back-off 500 ms, ran 301 ms`. */
  readonly parts: string;
}

/** Of the node's run at this path; the newest last. */
export function attemptsOf(history: History, nodeId: string, path: string): AttemptFacts[] {
  const attempts: AttemptFacts[] = [];
  for (const n of history.lanes.get(nodeId)?.events ?? []) {
    const event = history.events[n];
    if ((event.path ?? "") !== path || event.type.startsWith("Iteration")) continue;
    const last = attempts.at(-1);
    if (event.type === "NodeStarted") {
      attempts.push({
        attempt: event.attempt ?? 1,
        from: event.at,
        to: 0,
        status: "running",
        word: "Running",
        message: "",
        retryAt: 0,
        seq: event.seq,
        parts: path ? "" : partsOf(history.lanes.get(nodeId), event.attempt ?? 1),
      });
    } else if (last) attempts[attempts.length - 1] = after(last, event);
  }
  return attempts;
}

const KINDS: Record<SegmentKind, string> = {
  queue: "queued",
  run: "ran",
  backoff: "back-off",
  wait: "waited",
  down: "server stopped",
};

function partsOf(lane: Lane | undefined, number: number): string {
  const segments = lane?.attempts.find((one) => one.attempt === number)?.segments ?? [];
  const ended = segments.filter(({ from, to }) => to > from);
  if (ended.every(({ kind }) => kind === "run")) return "";
  return ended.map(({ kind, from, to }) => `${KINDS[kind]} ${duration(to - from)}`).join(", ");
}

function after(last: AttemptFacts, event: JournalEvent): AttemptFacts {
  switch (event.type) {
    case "NodeSucceeded":
      return { ...last, to: event.at, status: "success", word: "Succeeded" };
    case "NodeFailed": {
      const type = (event.error as { type?: string } | undefined)?.type;
      const word = type === "NodeTimeout" ? "Timed out" : "Failed";
      const retryAt = Number(event.retryAt ?? 0);
      return { ...last, to: event.at, status: "error", word, message: messageOf(event), retryAt };
    }
    case "NodeLost":
      return {
        ...last,
        to: event.at,
        status: "error",
        word: "Lost",
        message: "The process that ran it ended before it answered.",
      };
    case "NodeCancelled":
      return {
        ...last,
        to: event.at,
        status: "skipped",
        word: "Cancelled",
        message: String(event.reason ?? ""),
      };
    case "NodeSuspended":
      return { ...last, status: "waiting", word: "Waiting" };
    default:
      return last;
  }
}

/** The last error of the node's run at this path: message, type, code, detail. */
export function errorOf(
  history: History,
  nodeId: string,
  path: string,
): { type: string; message: string; code: string; detail: string; place: string; nodeId: string } | null {
  const numbers = history.lanes.get(nodeId)?.events ?? [];
  for (let n = numbers.length - 1; n >= 0; n -= 1) {
    const event = history.events[numbers[n]];
    if (event.type !== "NodeFailed" || (event.path ?? "") !== path) continue;
    const error = (event.error ?? {}) as Record<string, unknown>;
    const text = (key: string) => (typeof error[key] === "string" ? (error[key] as string) : "");
    return {
      type: text("type"),
      message: text("message"),
      code: text("code"),
      detail: text("detail"),
      place: text("place"),
      nodeId: text("nodeId"),
    };
  }
  return null;
}
