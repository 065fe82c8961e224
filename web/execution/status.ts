/** The statuses as small numbers, for columns, and the words for them. */

import type { NodeStatus, RunStatus } from "../protocol/messages.ts";

/** What is shown of a node: the contract's six, and `waiting`, which is pending with a detail that says what for. */
export const STATUSES = ["idle", "pending", "running", "success", "error", "skipped", "waiting"] as const;
export type ShownStatus = (typeof STATUSES)[number];

export const IDLE = 0;
export const PENDING = 1;
export const RUNNING = 2;
export const SUCCESS = 3;
export const ERROR = 4;
export const SKIPPED = 5;
export const WAITING = 6;

const CODES: Record<NodeStatus, number> = {
  idle: IDLE,
  pending: PENDING,
  running: RUNNING,
  success: SUCCESS,
  error: ERROR,
  skipped: SKIPPED,
};

/** Details of a pending node that mean that it waits for something other than its turn. */
const WAITS = new Set(["waiting", "asking", "paused"]);

export function codeOf(status: NodeStatus, detail: string): number {
  return status === "pending" && WAITS.has(detail) ? WAITING : CODES[status];
}

/** The contract's status for a code. */
export function statusOf(code: number): NodeStatus {
  return code === WAITING ? "pending" : (STATUSES[code] as NodeStatus);
}

export const LABELS: Record<ShownStatus, string> = {
  idle: "Not started",
  pending: "Queued",
  running: "Running",
  success: "Succeeded",
  error: "Failed",
  skipped: "Skipped",
  waiting: "Waiting",
};

export const RUN_LABELS: Record<RunStatus, string> = {
  pending: "Queued",
  running: "Running",
  waiting: "Waiting",
  success: "Succeeded",
  failed: "Failed",
  cancelled: "Cancelled",
};

/** The colours' name for a run's status. */
export const RUN_LOOK: Record<RunStatus, ShownStatus> = {
  pending: "pending",
  running: "running",
  waiting: "waiting",
  success: "success",
  failed: "error",
  cancelled: "skipped",
};

const DETAILS: Record<string, string> = {
  queued: "Queued",
  retrying: "Retrying",
  waiting: "Waiting",
  asking: "Needs an answer",
  cancelled: "Cancelled",
  "timed out": "Timed out",
  lost: "Lost",
};

/** The word for a node: its detail's where there is one. */
export function labelOf(code: number, detail: string): string {
  return DETAILS[detail] ?? LABELS[STATUSES[code]];
}

export function hasEnded(status: RunStatus): boolean {
  return status === "success" || status === "failed" || status === "cancelled";
}
