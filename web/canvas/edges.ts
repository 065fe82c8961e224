/** Edges as columns: from which point to which, and how each stands in a run. */

import type { RunStore } from "../execution/run-store.ts";
import { ERROR, IDLE, RUNNING, SKIPPED, SUCCESS } from "../execution/status.ts";
import { type Graph, indexOf } from "./graph.ts";
import { type Catalogue, type Places, placesOf } from "./places.ts";
import { outputOf, portOffset, portsOf, takenBy } from "./ports.ts";

const ERROR_HANDLE = "error";

export class Edges {
  readonly source: Int32Array;
  readonly target: Int32Array;
  /** Offsets of the ports below the upper edges of their nodes. */
  readonly out: Float64Array;
  readonly in: Float64Array;
  readonly ids: readonly string[];
  /** The handles they leave by, as a run tells which was taken. */
  readonly handles: readonly string[];
  /** Whether what leaves by an edge can be told: not of a node in a body, whose runs may each leave by another. */
  readonly told: Uint8Array;
  /** Whether the source has an edge for its error, which then leaves by nothing else. */
  readonly caught: Uint8Array;

  constructor(graph: Graph, catalogue: Catalogue) {
    const { number } = indexOf(graph);
    const places = placesOf(graph, catalogue);
    const known = graph.edges.filter((edge) => number.has(edge.source) && number.has(edge.target));
    this.ids = known.map((edge) => edge.id);
    this.source = new Int32Array(known.length);
    this.target = new Int32Array(known.length);
    this.out = new Float64Array(known.length);
    this.in = new Float64Array(known.length);
    this.told = Uint8Array.from(
      known,
      (edge) => +(graph.nodes[number.get(edge.source)!].parentId === undefined),
    );
    const catching = new Set(
      known.filter((edge) => edge.sourceHandle === ERROR_HANDLE).map((edge) => edge.source),
    );
    this.caught = Uint8Array.from(known, (edge) => +catching.has(edge.source));
    this.handles = known.map(takenBy);
    const ports = graph.nodes.map((node) => portsOf(node, graph, catalogue));
    known.forEach((edge, e) => {
      const source = number.get(edge.source)!;
      const target = number.get(edge.target)!;
      const { outputs } = ports[source];
      const { inputs } = ports[target];
      this.source[e] = source;
      this.target[e] = target;
      const out = outputs.indexOf(outputOf(edge, new Set(outputs)));
      const into = inputs.indexOf(edge.targetHandle || "input");
      this.out[e] = portOffset(
        Math.max(0, out),
        outputs.length,
        places.height[source],
        places.container[source] === 1,
      );
      this.in[e] = portOffset(
        Math.max(0, into),
        inputs.length || 1,
        places.height[target],
        places.container[target] === 1,
      );
    });
  }

  /** The edge nearest to a point, if it is within `reach`; or -1. */
  at(x: number, y: number, reach: number, places: Places): number {
    let found = -1;
    let least = reach;
    for (let e = 0; e < this.ids.length; e += 1) {
      const away = this.#distance(e, x, y, least, places);
      if (away < least) {
        least = away;
        found = e;
      }
    }
    return found;
  }

  #distance(e: number, x: number, y: number, reach: number, places: Places): number {
    const [a, b] = [this.source[e], this.target[e]];
    const [sx, sy] = [places.x[a] + places.width[a], places.y[a] + this.out[e]];
    const [tx, ty] = [places.x[b], places.y[b] + this.in[e]];
    const bend = bendOf(tx - sx);
    if (x < Math.min(sx, tx) - bend - reach || x > Math.max(sx, tx) + bend + reach) return Infinity;
    if (y < Math.min(sy, ty) - reach || y > Math.max(sy, ty) + reach) return Infinity;
    let least = Infinity;
    for (let step = 0; step <= 24; step += 1) {
      const t = step / 24;
      const u = 1 - t;
      const px = u * u * u * sx + 3 * u * u * t * (sx + bend) + 3 * u * t * t * (tx - bend) + t * t * t * tx;
      const py = u * u * u * sy + 3 * u * u * t * sy + 3 * u * t * t * ty + t * t * t * ty;
      least = Math.min(least, Math.hypot(px - x, py - y));
    }
    return least;
  }
}

const made = new WeakMap<Graph, Edges>();

export function edgesOf(graph: Graph, catalogue: Catalogue): Edges {
  let edges = made.get(graph);
  if (!edges) {
    edges = new Edges(graph, catalogue);
    made.set(graph, edges);
  }
  return edges;
}

/** How far the curve runs straight out before it turns. */
export function bendOf(dx: number): number {
  return dx > 0 ? Math.max(24, dx / 2) : Math.min(180, 60 - dx / 3);
}

export const RESTS = 0;
export const FLOWS = 1;
export const TAKEN = 2;
export const NOT_TAKEN = 3;

/** How edge `e` stands in a run: by the handle its source's answer left by, where that is told, else by its ends' statuses. */
export function edgeState(edges: Edges, e: number, store: RunStore, source: number, target: number): number {
  const code = source < 0 ? IDLE : store.codes[source];
  const next = target < 0 ? IDLE : store.codes[target];
  if (code === SKIPPED) return NOT_TAKEN;
  if (code === SUCCESS && edges.told[e]) {
    if (edges.handles[e] !== store.handles[source]) return NOT_TAKEN;
    return next === RUNNING ? FLOWS : TAKEN;
  }
  if (code !== SUCCESS && code !== ERROR) return RESTS;
  if (next === SKIPPED) return NOT_TAKEN;
  if (code === ERROR && edges.caught[e] && edges.handles[e] !== ERROR_HANDLE) return NOT_TAKEN;
  if (next === RUNNING) return FLOWS;
  return next === IDLE ? RESTS : TAKEN;
}
