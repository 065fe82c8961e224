/**
 * The history of a run, read over HTTP as it grows.
 *
 *   store's cursor moves ──> read what is new ──> History ──> listeners
 *
 * Of a long run only its top level is read, until somebody wants all of it: then that is read beside, and takes its place.
 */

import type { EventsPage } from "./api.ts";
import { History } from "./history.ts";

type Read = (after: number, limit: number, top: boolean) => Promise<EventsPage>;

const PAGE = 10_000;
const LEAST_PAUSE = 300;
/** A run with more events than this is read in brief. */
export const LONG = 20_000;

/** A history that follows its run. */
export class RunHistory extends History {
  state: "loading" | "ready" | "failed" = "loading";
  error = "";
  version = 0;
  /** Nothing is in it of what is inside of containers. */
  brief = false;
  readonly #read: Read;
  readonly #listeners = new Set<() => void>();
  #whole: RunHistory | null = null;
  #wholeWanted: boolean;
  #reading = false;
  #wanted = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(read: Read, whole = false) {
    super();
    this.#read = read;
    this.#wholeWanted = whole;
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** The one to look at: all of it, as soon as that has been read. */
  get best(): RunHistory {
    return this.#whole && this.#whole.cursor >= this.cursor ? this.#whole : this;
  }

  /** Somebody looks at what is inside of containers. */
  wantWhole(): void {
    this.#wholeWanted = true;
    if (!this.brief || this.#whole) return;
    this.#whole = new RunHistory(this.#read, true);
    this.#whole.subscribe(() => this.#tell(this.#whole!.state, this.#whole!.error));
    this.#whole.want(this.#wanted);
  }

  /** There are events up to this one. */
  want(seq: number): void {
    this.#wanted = Math.max(this.#wanted, seq);
    if (this.#whole) return this.#whole.want(seq);
    if (this.#reading || this.#timer !== undefined || (this.state === "ready" && this.cursor >= this.#wanted))
      return;
    if (!this.cursor) this.brief = !this.#wholeWanted && seq > LONG;
    void this.#catchUp();
  }

  /** Events that somebody else has read. Nobody is told: whoever takes them is about to look. */
  take(events: EventsPage["events"]): void {
    if (!events.length) return;
    for (const event of events) this.add(event);
    this.state = "ready";
    this.version += 1;
  }

  async #catchUp(): Promise<void> {
    this.#reading = true;
    try {
      for (let more = true; more; ) {
        const before = this.cursor;
        const page = await this.#read(before, PAGE, this.brief);
        for (const event of page.events) this.add(event);
        this.cursor = Math.max(this.cursor, page.lastSeq);
        more = page.more && this.cursor > before;
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
