/** A workflow as SVG: what is on the canvas, in a file that needs nothing else. */

import type { RunStore } from "../execution/run-store.ts";
import { IDLE } from "../execution/status.ts";
import { duration } from "../theme/format.ts";
import { nodeWords } from "../theme/node-words.ts";
import { bendOf, edgesOf } from "./edges.ts";
import { type Graph, titleOf } from "./graph.ts";
import { type Catalogue, type Places, placesOf } from "./places.ts";

const MARGIN = 32;
const FILLS = ["#9ca3af", "#9ca3af", "#3b82f6", "#10b981", "#ef4444", "#f59e0b", "#8b5cf6"];
const INKS = ["#4b5563", "#4b5563", "#1d4ed8", "#047857", "#b91c1c", "#b45309", "#6d28d9"];

export function drawing(graph: Graph, catalogue: Catalogue, store: RunStore | null): string {
  const places = placesOf(graph, catalogue);
  const { x, y, width, height } = places.bounds;
  const view = [x - MARGIN, y - MARGIN, width + 2 * MARGIN, height + 2 * MARGIN].map(Math.round);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="${view.join(" ")}" width="${view[2]}" height="${view[3]}" font-family="Inter, system-ui, sans-serif">`,
    `<title>${escaped(graph.rest.name || graph.rest.id)}</title>`,
    `<rect x="${view[0]}" y="${view[1]}" width="${view[2]}" height="${view[3]}" fill="#f4f5f7"/>`,
    ...[...places.order].filter((n) => places.container[n]).map((n) => body(graph, places, n)),
    ...edgePaths(graph, catalogue, places),
    ...[...places.order]
      .filter((n) => !places.container[n])
      .map((n) => card(graph, catalogue, places, store, n)),
    "</svg>",
    "",
  ].join("\n");
}

function body(graph: Graph, places: Places, n: number): string {
  const { x, y, width, height } = places.box(n);
  return (
    `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="12" fill="#eceef2" stroke="#c5cad3"/>` +
    `<text x="${x + 16}" y="${y + 26}" font-size="13" font-weight="600" fill="#12161f">${escaped(titleOf(graph.nodes[n]))}</text>`
  );
}

function edgePaths(graph: Graph, catalogue: Catalogue, places: Places): string[] {
  const edges = edgesOf(graph, catalogue);
  return edges.ids.map((_, e) => {
    const [a, b] = [edges.source[e], edges.target[e]];
    const [sx, sy] = [places.x[a] + places.width[a], places.y[a] + edges.out[e]];
    const [tx, ty] = [places.x[b], places.y[b] + edges.in[e]];
    const bend = bendOf(tx - sx);
    return `<path d="M${sx} ${sy}C${sx + bend} ${sy} ${tx - bend} ${ty} ${tx} ${ty}" fill="none" stroke="#b3bac6" stroke-width="1.5"/>`;
  });
}

function card(graph: Graph, catalogue: Catalogue, places: Places, store: RunStore | null, n: number): string {
  const node = graph.nodes[n];
  const { x, y, width, height } = places.box(n);
  const row = store?.row(node.id);
  const code = row?.code ?? IDLE;
  const kind = catalogue.get(node.data.type)?.title ?? node.data.type;
  const lines = [
    `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="10" fill="#ffffff" stroke="#e0e3e9"/>`,
    `<rect x="${x + 5}" y="${y + 9}" width="3" height="${height - 18}" rx="1.5" fill="${FILLS[code]}"/>`,
    `<text x="${x + 18}" y="${y + 26}" font-size="13" font-weight="600" fill="#12161f">${escaped(shortened(titleOf(node), 27))}</text>`,
    `<text x="${x + 18}" y="${y + 42}" font-size="11" fill="#565f6e">${escaped(shortened(kind, 32))}</text>`,
  ];
  if (row && code !== IDLE) {
    const time = row.duration >= 0 ? ` · ${duration(row.duration)}` : "";
    lines.push(
      `<text x="${x + 18}" y="${y + 68}" font-size="12" fill="${INKS[code]}">${escaped(nodeWords(row) + time)}</text>`,
    );
  }
  return lines.join("");
}

function shortened(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

/** XML knows no control characters, not even escaped. */
function escaped(text: string): string {
  return [...text]
    .filter((character) => character >= " " || character === "\n" || character === "\t")
    .join("")
    .replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}
