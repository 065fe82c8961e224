/** What waits for people, as the server lists it, and what an answer to it can come to. */

import { type Api, ApiError } from "../../execution/api.ts";

export type WaitingKind = "approval" | "form" | "signal" | "ask";

export interface Waiting {
  readonly executionId: string;
  readonly workflowId: string;
  readonly workflowName: string;
  readonly nodeId: string;
  readonly nodeName: string;
  readonly path?: string;
  readonly kind: WaitingKind;
  readonly detail: string;
  readonly waitingSince: string;
  readonly until?: string;
  readonly startedBy?: string;
  readonly approvalId?: string;
  readonly title?: string;
  readonly message?: string;
  /** Only for who may answer. */
  readonly formUrl?: string;
  readonly signal?: string;
}

export interface WaitingList {
  readonly total: number;
  readonly waiting: readonly Waiting[];
}

export function waitingOf(api: Api, members: Record<string, string | number>): Promise<WaitingList> {
  const query = new URLSearchParams(Object.entries(members).map(([name, value]) => [name, String(value)]));
  return api.get<WaitingList>(`/api/waiting?${query}`);
}

/** The same question at any later time; a loop that asks again asks another. */
export function keyOf({ executionId, path, nodeId, waitingSince }: Waiting): string {
  return `${executionId}/${path ?? ""}/${nodeId}/${waitingSince}`;
}

export function headingOf(waiting: Waiting): string {
  return waiting.title || waiting.nodeName;
}

export const ASKS: Record<WaitingKind, string> = {
  approval: "Asks for an approval",
  form: "Asks to fill in a form",
  signal: "Waits for a signal",
  ask: "Its last attempt was lost: what it did outside is not known",
};

/** How an answer ended: taken, or too late; in words. */
export interface Outcome {
  readonly late: boolean;
  readonly said: string;
}

const LATE = new Set([
  "ALREADY_DECIDED",
  "APPROVAL_NOT_FOUND",
  "APPROVAL_EXPIRED",
  "NO_ACTIVE_FORM",
  "FORM_EXPIRED",
  "SIGNAL_NOT_AWAITED",
  "EXECUTION_ENDED",
]);

/** What came instead of a taken answer; null where it is no matter of being late. */
export function lateness(error: unknown): Outcome | null {
  if (!(error instanceof ApiError) || !LATE.has(error.code)) return null;
  const { decision } = error.details;
  if (error.code === "ALREADY_DECIDED" && typeof decision === "string")
    return { late: true, said: `Somebody else was faster: it is ${decision} already` };
  if (error.code.endsWith("_EXPIRED")) return { late: true, said: "Too late: the time to answer is over" };
  return { late: true, said: "Too late: somebody else has answered meanwhile, or the run has ended" };
}
