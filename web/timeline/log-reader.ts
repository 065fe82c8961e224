/** Reads what is kept of a run's log: one read at a time, and another after it for whoever asked meanwhile. */

import { type KeptPage, LogBook } from "./log-book.ts";

const PAGE = 500;
const LEAST_PAUSE = 300;

type ReadPage = (after: number) => Promise<KeptPage>;

export class LogReader {
  readonly book = new LogBook();
  state: "loading" | "ready" = "loading";
  error = "";
  version = 0;
  readonly #page: ReadPage;
  readonly #listeners = new Set<() => void>();
  #asked = 0;
  #reading: Promise<void> | null = null;

  constructor(page: ReadPage) {
    this.#page = page;
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Done when all that was kept at the time of the call has been read. */
  read = (): Promise<void> => {
    this.#asked += 1;
    this.#reading ??= this.#readAll().finally(() => {
      this.#reading = null;
    });
    return this.#reading;
  };

  async #readAll(): Promise<void> {
    for (let done = 0; done < this.#asked; ) {
      if (done) await new Promise((next) => setTimeout(next, LEAST_PAUSE));
      done = this.#asked;
      await this.#readOn();
    }
  }

  async #readOn(): Promise<void> {
    try {
      for (let more = true; more; ) {
        const page = await this.#page(this.book.next);
        this.book.keep(page.lines, page.nextOffset);
        more = page.lines.length >= PAGE;
      }
      this.error = "";
    } catch (failed) {
      this.error = failed instanceof Error ? failed.message : String(failed);
    }
    this.state = "ready";
    this.version += 1;
    for (const listener of [...this.#listeners]) listener();
  }
}
