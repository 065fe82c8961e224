/** What ran in iterations: of a container its iterations, of a node in a body its runs. In order of their starts. */

import { ERROR, RUNNING } from "./status.ts";

export class Spans {
  readonly from: number[] = [];
  readonly to: number[] = [];
  readonly codes: number[] = [];
  readonly paths: string[] = [];
  readonly #last = new Map<string, number>();
  failed = 0;
  ended = 0;

  begin(path: string, at: number): void {
    this.#last.set(path, this.from.length);
    this.from.push(at);
    this.to.push(0);
    this.codes.push(RUNNING);
    this.paths.push(path);
  }

  /** It had to wait for a place until then. */
  admit(path: string, at: number): void {
    const n = this.#last.get(path);
    if (n !== undefined && !this.to[n]) this.from[n] = Math.max(this.from[n], at);
  }

  mark(path: string, code: number): void {
    const n = this.#last.get(path);
    if (n !== undefined && !this.to[n]) this.codes[n] = code;
  }

  end(path: string, at: number, code: number): void {
    const n = this.#last.get(path);
    if (n === undefined || this.to[n]) return;
    this.#close(n, at, code);
  }

  endAll(at: number, code: number): void {
    for (const n of this.#last.values()) if (!this.to[n]) this.#close(n, at, code);
  }

  indexOf(path: string): number {
    return this.#last.get(path) ?? -1;
  }

  #close(n: number, at: number, code: number): void {
    this.to[n] = at;
    this.codes[n] = code;
    this.ended += 1;
    if (code === ERROR) this.failed += 1;
  }
}
