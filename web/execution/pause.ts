/** How long to wait before coming back: doubling, with full jitter, so that a restart is not met by a herd. */

export class Pause {
  #tries = 0;
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** Milliseconds. The first is short: most interruptions are. */
  next(): number {
    const most = Math.min(15_000, 300 * 2 ** this.#tries);
    this.#tries += 1;
    return 50 + this.#random() * most;
  }

  reset(): void {
    this.#tries = 0;
  }
}
