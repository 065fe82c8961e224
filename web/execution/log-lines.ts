/**
 * What the nodes of a run log and stream, as it arrives. Lines of one attempt carry offsets: where they jump, some were
 * dropped on the way, and a gap stands between them until the whole is read over HTTP.
 */

import type { NodeLogData } from "../protocol/messages.ts";

export interface LogLine {
  readonly nodeId: string;
  readonly path: string;
  readonly attempt: number;
  readonly offset: number;
  readonly kind: "log" | "stream" | "gap";
  readonly level: string;
  readonly text: string;
  readonly timestamp: number;
}

/** Lines kept in the browser; the run keeps all of them. */
export const MOST_LINES = 20_000;

export class LogLines {
  #lines: LogLine[] = [];
  #next = new Map<string, number>();
  #changed = false;
  readonly #listeners = new Set<() => void>();
  /** How many of the oldest were let go. */
  dropped = 0;
  /** A new value after every change: a snapshot for `useSyncExternalStore`. */
  version = 0;

  get lines(): readonly LogLine[] {
    return this.#lines;
  }

  add(data: NodeLogData): void {
    const path = data.path ?? "";
    const key = `${data.nodeId}\n${path}\n${data.attempt}`;
    const expected = this.#next.get(key) ?? 0;
    if (data.offset < expected) return;
    const line = { ...data, path };
    if (data.offset > expected) {
      const missing = data.offset - expected;
      this.#lines.push({ ...line, kind: "gap", offset: expected, level: "", text: `${missing}` });
    }
    this.#next.set(key, data.offset + 1);
    this.#lines.push(line);
    if (this.#lines.length > MOST_LINES * 1.1) {
      const excess = this.#lines.length - MOST_LINES;
      this.#lines = this.#lines.slice(excess);
      this.dropped += excess;
    }
    this.#changed = true;
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  flush(): void {
    if (!this.#changed) return;
    this.#changed = false;
    this.version += 1;
    for (const listener of [...this.#listeners]) listener();
  }
}
