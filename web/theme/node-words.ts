/** How a node stands, in the words of its card: with the time, where it goes on by itself. */

import { labelOf } from "../execution/status.ts";
import { instant } from "./format.ts";

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
