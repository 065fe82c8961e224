/** The journal's events in words, for people. */

import type { JournalEvent } from "../execution/api.ts";
import { messageOf } from "../execution/history.ts";
import type { ShownStatus } from "../execution/status.ts";
import { clock } from "../theme/format.ts";

/** `NodeSucceeded` → `Node succeeded` */
export function kindOf(type: string): string {
  const words = type.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
  return words[0].toUpperCase() + words.slice(1);
}

export function lookOf(event: JournalEvent): ShownStatus {
  const { type } = event;
  if (/Failed|Failing|Lost/.test(type)) return "error";
  if (/Succeeded|Adopted/.test(type)) return "success";
  if (/Started|Released|Resumed|Recovered/.test(type)) return "running";
  if (/Skipped|Cancelled/.test(type)) return "skipped";
  if (/Suspended|Paused/.test(type)) return "waiting";
  return "idle";
}

/** What the event says beyond its kind and its node. */
export function detailOf(event: JournalEvent): string {
  const parts: string[] = [];
  if ((event.attempt ?? 1) > 1) parts.push(`attempt ${event.attempt}`);
  if (event.index !== undefined || event.type.startsWith("Iteration"))
    parts.push(`#${Number(event.index ?? 0)}`);
  if (typeof event.handle === "string" && event.handle !== "output") parts.push(`by ${event.handle}`);
  if (typeof event.count === "number") parts.push(`${event.count} iterations`);
  if (typeof event.name === "string") parts.push(event.name);
  if (typeof event.kind === "string") parts.push(event.kind);
  if (typeof event.signal === "string" && event.signal) parts.push(`signal ${event.signal}`);
  if (typeof event.epoch === "number") parts.push(`epoch ${event.epoch}`);
  if (event.origin) parts.push(String(event.origin));
  const why = messageOf(event) || (typeof event.reason === "string" ? event.reason : "");
  if (why) parts.push(why);
  if (Number(event.retryAt ?? 0) > 0) parts.push(`again at ${clock(Number(event.retryAt))}`);
  if (Number(event.until ?? 0) > 0) parts.push(`until ${clock(Number(event.until))}`);
  return parts.join(" · ");
}

export type EventGroup = "all" | "errors" | "run" | "nodes";

export function belongs(event: JournalEvent, group: EventGroup): boolean {
  if (group === "all") return true;
  if (group === "errors") return lookOf(event) === "error";
  return (event.nodeId === undefined) === (group === "run");
}
