/**
 * The history of a run, read over HTTP as it grows.
 *
 *   store's cursor moves ──> read what is new ──> History ──> listeners
 */

import type { JournalEvent } from "./api.ts";
import { History } from "./history.ts";

type Read = (after: number, limit: number) => Promise<{ events: JournalEvent[]; more: boolean }>;

const PAGE = 10_000;
const LEAST_PAUSE = 300;

/** A history that follows its run. */
export class RunHistory extends History {
  state: "loading" | "ready" | "failed" = "loading";
  error = "";
  version = 0;
  readonly #read: Read;
  readonly #listeners = new Set<() => void>();
  #reading = false;
  #wanted = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(read: Read) {
    super();
    this.#read = read;
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** There are events up to this one. */
  want(seq: number): void {
    this.#wanted = Math.max(this.#wanted, seq);
    if (this.#reading || this.#timer !== undefined || (this.state === "ready" && this.cursor >= this.#wanted))
      return;
    void this.#catchUp();
  }

  /** Events that somebody else has read. Nobody is told: whoever takes them is about to look. */
  take(events: readonly JournalEvent[]): void {
    if (!events.length) return;
    for (const event of events) this.add(event);
    this.state = "ready";
    this.version += 1;
  }

  async #catchUp(): Promise<void> {
    this.#reading = true;
    try {
      for (let more = true; more; ) {
        const page = await this.#read(this.cursor, PAGE);
        for (const event of page.events) this.add(event);
        more = page.more && page.events.length > 0;
        this.#tell("ready", "");
      }
    } catch (failed) {
      this.#tell("failed", failed instanceof Error ? failed.message : String(failed));
    }
    this.#reading = false;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#listeners.size) this.want(this.#wanted);
    }, LEAST_PAUSE);
  }

  #tell(state: RunHistory["state"], error: string): void {
    this.state = state;
    this.error = error;
    this.version += 1;
    for (const listener of [...this.#listeners]) listener();
  }
}
