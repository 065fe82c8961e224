/** How a node stands, in the words of its card: with the time, where it goes on by itself. */

import { labelOf } from "../execution/status.ts";
import { clock } from "./format.ts";

export interface Standing {
  readonly code: number;
  readonly detail: string;
  /** When it goes on by itself; epoch milliseconds, 0 where that is not known. */
  readonly until?: number;
}

/** `Retrying at 12:03:20`, `Waiting until 12:03:20`; with the day, if that is another. */
export function nodeWords({ code, detail, until = 0 }: Standing, now = Date.now()): string {
  const word = labelOf(code, detail);
  const joint = until ? { retrying: "at", waiting: "until" }[detail] : undefined;
  return joint ? `${word} ${joint} ${instant(until, now)}` : word;
}

function instant(at: number, now: number): string {
  const then = new Date(at);
  if (then.toDateString() === new Date(now).toDateString()) return clock(at);
  const day = then.toLocaleDateString("en-GB", { day: "numeric", month: "short" });
  return `${day}, ${clock(at).slice(0, 5)}`;
}
