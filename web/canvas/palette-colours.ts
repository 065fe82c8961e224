/** The theme's colours for a 2D context, which knows no custom properties. */

import { STATUSES } from "../execution/status.ts";

export interface Colours {
  readonly canvas: string;
  readonly dot: string;
  readonly raised: string;
  readonly sunken: string;
  readonly line: string;
  readonly lineStrong: string;
  readonly text: string;
  readonly muted: string;
  readonly faint: string;
  readonly accent: string;
  readonly edge: string;
  readonly font: string;
  /** By status code. */
  readonly fills: readonly string[];
  readonly inks: readonly string[];
  /** Fills laid thinly on a card, by status code. */
  readonly washes: readonly string[];
}

export function coloursOf(element: Element): Colours {
  const style = getComputedStyle(element);
  const read = (name: string) => style.getPropertyValue(`--rev-${name}`).trim();
  const raised = read("raised");
  const fills = STATUSES.map((status) => read(`${status}-fill`));
  return {
    canvas: read("canvas"),
    dot: read("dot"),
    raised,
    sunken: read("sunken"),
    line: read("line"),
    lineStrong: read("line-strong"),
    text: read("text"),
    muted: read("muted"),
    faint: read("faint"),
    accent: read("accent-fill"),
    edge: read("edge"),
    font: read("font"),
    fills,
    inks: STATUSES.map((status) => read(`${status}-ink`)),
    washes: fills.map((fill, code) => (code === 0 ? raised : mixed(fill, raised, 0.42))),
  };
}

/**
 * `share` of the first colour, the rest of the second; both as #rrggbb, or #rgb, as minifiers write it. A colour that the
 * system forces has a name instead, and stays what it is.
 */
function mixed(first: string, second: string, share: number): string {
  if (!first.startsWith("#") || !second.startsWith("#")) return second;
  const colours = [first, second].map((colour) =>
    colour.length === 4 ? colour.replace(/[^#]/g, "$&$&") : colour,
  );
  const parts = [1, 3, 5].map((at) => {
    const [a, b] = colours.map((colour) => Number.parseInt(colour.slice(at, at + 2), 16) || 0);
    return Math.round(a * share + b * (1 - share))
      .toString(16)
      .padStart(2, "0");
  });
  return `#${parts.join("")}`;
}
