/** The log as it is read: what the server has kept, and after it what has arrived since, each line once. */

import type { LogLine } from "../execution/log-lines.ts";

/** A kept line as the server tells it; `offset` is its place in the run's whole log. */
export interface KeptLine {
  readonly nodeId: string;
  readonly path?: string;
  readonly attempt?: number;
  readonly kind?: "log" | "stream";
  readonly level?: string;
  readonly text?: string;
  readonly at: string;
  readonly offset: number;
}

export interface KeptPage {
  readonly lines: readonly KeptLine[];
  readonly nextOffset: number;
}

export interface LogFilter {
  readonly node: string;
  /** The least level. */
  readonly level: string;
  readonly text: string;
  /** Epoch milliseconds: what was said later is left out; 0 for no end. */
  readonly until: number;
}

export const LEVELS = ["debug", "info", "warning", "error"] as const;

export class LogBook {
  readonly kept: LogLine[] = [];
  /** Where the next page begins. */
  next = 0;
  readonly #words = new Map<string, number>();

  /** A page of what is kept. In it the words of an attempt are counted as the live stream counts them. */
  keep(lines: readonly KeptLine[], next: number): void {
    for (const line of lines) {
      const path = line.path ?? "";
      const attempt = line.attempt ?? 1;
      const key = keyOf(line.nodeId, path, attempt);
      const offset = this.#words.get(key) ?? 0;
      this.#words.set(key, offset + 1);
      this.kept.push({
        nodeId: line.nodeId,
        path,
        attempt,
        offset,
        kind: line.kind ?? "log",
        level: line.level ?? "info",
        text: line.text ?? "",
        timestamp: Date.parse(line.at),
      });
    }
    this.next = next;
  }

  /** With what came live; gaps that have been read since are gone. */
  merged(live: readonly LogLine[]): LogLine[] {
    const fresh = live.filter((line) => {
      const known = this.#words.get(keyOf(line.nodeId, line.path, line.attempt)) ?? 0;
      return line.kind === "gap" ? line.offset + Number(line.text) > known : line.offset >= known;
    });
    const all = [...this.kept, ...fresh];
    // What was said before a server died, and is not kept, stands where it was said.
    const late = this.kept.at(-1)?.timestamp ?? 0;
    if (fresh.some((line) => line.timestamp < late))
      all.sort((one, other) => one.timestamp - other.timestamp);
    return joined(all);
  }
}

function keyOf(nodeId: string, path: string, attempt: number): string {
  return `${nodeId}\n${path}\n${attempt}`;
}

/** Streamed pieces of one attempt that stand together are one text. */
function joined(lines: LogLine[]): LogLine[] {
  const out: LogLine[] = [];
  for (const line of lines) {
    const last = out.at(-1);
    if (
      line.kind === "stream" &&
      last?.kind === "stream" &&
      last.nodeId === line.nodeId &&
      last.path === line.path &&
      last.attempt === line.attempt
    )
      out[out.length - 1] = { ...last, text: last.text + line.text };
    else out.push(line);
  }
  return out;
}

export function filtered(lines: readonly LogLine[], filter: LogFilter): LogLine[] {
  const least = LEVELS.indexOf(filter.level as (typeof LEVELS)[number]);
  const text = filter.text.trim().toLowerCase();
  return lines.filter((line) => {
    if (filter.node && line.nodeId !== filter.node) return false;
    if (filter.until && line.timestamp > filter.until) return false;
    if (line.kind === "gap") return true;
    const level = line.level === "critical" ? 3 : LEVELS.indexOf(line.level as (typeof LEVELS)[number]);
    return (least <= 0 || level >= least) && (!text || line.text.toLowerCase().includes(text));
  });
}
