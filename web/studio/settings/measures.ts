/** Prometheus' text, as far as it is read here: figures without labels. */

/** A figure by its name; 0 for one that is not there. */
export function measuresOf(text: string): (name: string) => number {
  const found = new Map<string, number>();
  for (const line of text.split("\n")) {
    const [, name, value] = /^(\w+) (\S+)/.exec(line) ?? [];
    if (name) found.set(name, Number(value));
  }
  return (name) => found.get(name) ?? 0;
}
