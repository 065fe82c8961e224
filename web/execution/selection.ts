/** What is selected: one for graph, timeline, list, logs and the URL. */

export class Selection {
  #ids: ReadonlySet<string> = new Set();
  #primary = "";
  readonly #listeners = new Set<() => void>();

  get ids(): ReadonlySet<string> {
    return this.#ids;
  }

  /** The one that the inspector shows: the last that was selected, or empty. */
  get primary(): string {
    return this.#primary;
  }

  /** Select exactly these; the last is the primary one. */
  set(ids: Iterable<string>): void {
    const next = new Set(ids);
    const primary = [...next].at(-1) ?? "";
    if (
      primary === this.#primary &&
      next.size === this.#ids.size &&
      [...next].every((id) => this.#ids.has(id))
    )
      return;
    this.#ids = next;
    this.#primary = primary;
    this.#tell();
  }

  select(id: string): void {
    this.set(id ? [id] : []);
  }

  toggle(id: string): void {
    const next = new Set(this.#ids);
    if (!next.delete(id)) next.add(id);
    this.set(next);
  }

  clear(): void {
    this.set([]);
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
