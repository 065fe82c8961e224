/**
 * Where nodes go: a layered drawing from left to right (Sugiyama, Tagawa and Toda, 1981), as in `flowscope.definition.layout`.
 *
 * Each scope is arranged by itself, the innermost first, so that a container is as large as its body needs. Within a scope:
 * a node's layer is the length of the longest way to it; an edge that passes over layers keeps a lane free in each; the
 * order in a layer follows the mean place of the neighbours, a few sweeps to and fro; and each is then moved towards its
 * neighbours as far as the order allows. Costs O(n + e) apart from sorting. Graphs with cycles are arranged too.
 */

import type { WorkflowNode } from "../protocol/document.ts";
import {
  BODY_HEADER,
  BODY_PADDING,
  type Box,
  CARD_HEIGHT,
  CARD_WIDTH,
  EMPTY_BODY_HEIGHT,
  GAP_X,
  GAP_Y,
} from "./geometry.ts";
import { type Graph, indexOf } from "./graph.ts";

const LANE = 20;
const LANES_PER_EDGE = 4;
const SWEEPS = 5;

/** A place for every node, relative to its container, and sizes for containers. `isContainer` by node type. */
export function arrange(
  graph: Graph,
  isContainer: (type: string) => boolean = () => false,
): Map<string, Box> {
  const { number, parents } = indexOf(graph);
  const scopes = new Map<number, number[]>();
  graph.nodes.forEach((node, n) => {
    push(scopes, parents[n], n);
    if (isContainer(node.data.type) && !scopes.has(n)) scopes.set(n, []);
  });
  const inner = new Map<number, [number, number][]>();
  for (const edge of graph.edges) {
    const source = number.get(edge.source);
    const target = number.get(edge.target);
    if (source === undefined || target === undefined || parents[source] !== parents[target]) continue;
    push(inner, parents[source], [source, target]);
  }
  const boxes = new Map<string, Box>();
  for (const owner of innermostFirst(scopes)) {
    const items = scopes.get(owner) ?? [];
    const sizes = items.map((n) => sizeOf(graph.nodes[n], n, scopes, boxes));
    const inside = owner >= 0;
    const { width, height } = new Scope(items, sizes, inner.get(owner) ?? []).place(graph, boxes, inside);
    if (inside) {
      boxes.set(graph.nodes[owner].id, {
        x: 0,
        y: 0,
        width: Math.max(width, CARD_WIDTH) + 2 * BODY_PADDING,
        height: Math.max(height + BODY_HEADER + BODY_PADDING, EMPTY_BODY_HEIGHT),
      });
    }
  }
  return boxes;
}

/** The graph with all nodes in their places. */
export function tidy(graph: Graph, isContainer?: (type: string) => boolean): Graph {
  const boxes = arrange(graph, isContainer);
  const { bodies } = indexOf(graph);
  const nodes = graph.nodes.map((node): WorkflowNode => {
    const box = boxes.get(node.id);
    if (!box) return node;
    const size =
      bodies.has(node.id) || isContainer?.(node.data.type) ? { width: box.width, height: box.height } : {};
    return { ...node, ...size, position: { x: box.x, y: box.y } };
  });
  return { ...graph, nodes };
}

/** The graph as it is if its nodes have places, else tidied: definitions written by hand often have none. */
export function tidied(graph: Graph, isContainer?: (type: string) => boolean): Graph {
  const places = new Set(
    graph.nodes.map((node) =>
      node.position ? `${node.parentId}|${node.position.x}|${node.position.y}` : "",
    ),
  );
  const placed = places.size === graph.nodes.length && !places.has("");
  return placed || graph.nodes.length < 2 ? graph : tidy(graph, isContainer);
}

function push<Key, Value>(lists: Map<Key, Value[]>, key: Key, value: Value): void {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
}

function innermostFirst(scopes: ReadonlyMap<number, readonly number[]>): number[] {
  const order = [-1];
  for (let at = 0; at < order.length; at += 1) {
    for (const n of scopes.get(order[at]) ?? []) if (scopes.has(n)) order.push(n);
  }
  return order.reverse();
}

function sizeOf(
  node: WorkflowNode,
  n: number,
  scopes: ReadonlyMap<number, unknown>,
  boxes: ReadonlyMap<string, Box>,
): [number, number] {
  const box = scopes.has(n) ? boxes.get(node.id) : undefined;
  return box ? [box.width, box.height] : [CARD_WIDTH, CARD_HEIGHT];
}

/** The items of one scope: its nodes, by their place in `members`, and after them the lanes of edges that pass over layers. */
class Scope {
  readonly #members: readonly number[];
  readonly #widths: number[];
  readonly #heights: number[];
  readonly #layerOf: number[];
  readonly #before: number[][];
  readonly #after: number[][];
  readonly #layers: number[][] = [];

  constructor(
    members: readonly number[],
    sizes: readonly (readonly [number, number])[],
    edges: readonly (readonly [number, number])[],
  ) {
    this.#members = members;
    this.#widths = sizes.map(([width]) => width);
    this.#heights = sizes.map(([, height]) => height);
    const place = new Map(members.map((n, item) => [n, item]));
    const seen = new Set<number>();
    const joined: [number, number][] = [];
    for (const [source, target] of edges) {
      const [a, b] = [place.get(source)!, place.get(target)!];
      const key = a * members.length + b;
      if (a === b || seen.has(key)) continue;
      seen.add(key);
      joined.push([a, b]);
    }
    this.#layerOf = longestWays(members.length, joined);
    this.#before = members.map(() => []);
    this.#after = members.map(() => []);
    this.#join(joined);
    this.#layerOf.forEach((layer, item) => {
      while (this.#layers.length <= layer) this.#layers.push([]);
      this.#layers[layer].push(item);
    });
  }

  place(graph: Graph, boxes: Map<string, Box>, inside: boolean): { width: number; height: number } {
    this.#order();
    const centres = this.#centres();
    const lift = centres.reduce(
      (least, centre, item) => Math.min(least, centre - this.#heights[item] / 2),
      centres.length ? Number.POSITIVE_INFINITY : 0,
    );
    const [left, above] = inside ? [BODY_PADDING, BODY_HEADER] : [0, 0];
    const columns = this.#columns();
    let height = 0;
    this.#members.forEach((n, item) => {
      const top = centres[item] - this.#heights[item] / 2 - lift;
      height = Math.max(height, top + this.#heights[item]);
      boxes.set(graph.nodes[n].id, {
        x: columns[this.#layerOf[item]] + left,
        y: Math.round(top) + above,
        width: this.#widths[item],
        height: this.#heights[item],
      });
    });
    return {
      width: this.#layers.length ? columns[columns.length - 1] - GAP_X : 0,
      height: Math.round(height),
    };
  }

  /** Neighbours, with a lane for every layer that an edge passes over; not without end in a graph full of those. */
  #join(edges: readonly (readonly [number, number])[]): void {
    let budget = LANES_PER_EDGE * (this.#members.length + edges.length);
    for (const [source, target] of edges) {
      const [first, last] = [this.#layerOf[source], this.#layerOf[target]];
      const wanted = Math.max(last - first - 1, 0);
      const chain = [source];
      if (wanted <= budget) {
        budget -= wanted;
        for (let layer = first + 1; layer < last; layer += 1) chain.push(this.#lane(layer));
      }
      chain.push(target);
      for (let at = 0; at + 1 < chain.length; at += 1) this.#link(chain[at], chain[at + 1]);
    }
  }

  #lane(layer: number): number {
    this.#layerOf.push(layer);
    this.#widths.push(0);
    this.#heights.push(LANE);
    this.#before.push([]);
    this.#after.push([]);
    return this.#layerOf.length - 1;
  }

  #link(near: number, far: number): void {
    if (this.#layerOf[near] >= this.#layerOf[far]) return;
    this.#after[near].push(far);
    this.#before[far].push(near);
  }

  #order(): void {
    const rank = new Float64Array(this.#layerOf.length);
    for (const layer of this.#layers)
      layer.forEach((item, place) => {
        rank[item] = place;
      });
    // Of two items behind one node, the one whose edge was said first comes first: as the handles do.
    const turn = this.#after.map(
      (items) => new Map(items.map((item, place) => [item, place / items.length])),
    );
    const wish = new Float64Array(this.#layerOf.length);
    for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
      const forward = sweep % 2 === 0;
      for (const layer of forward ? this.#layers : this.#layers.toReversed()) {
        for (const item of layer) {
          wish[item] = forward
            ? mean(this.#before[item], rank[item], (other) => rank[other] + (turn[other].get(item) ?? 0))
            : mean(this.#after[item], rank[item], (other) => rank[other]);
        }
        layer.sort((a, b) => wish[a] - wish[b]);
        layer.forEach((item, place) => {
          rank[item] = place;
        });
      }
    }
  }

  #centres(): Float64Array {
    const centres = new Float64Array(this.#layerOf.length);
    for (const layer of this.#layers) this.#settle(layer, centres, this.#before);
    for (const layer of this.#layers.toReversed()) this.#settle(layer, centres, this.#after);
    for (const layer of this.#layers) this.#settle(layer, centres, this.#before);
    return centres;
  }

  /** Each item as near its neighbours as the order allows: pushed down where need be, then all up by the mean. */
  #settle(layer: readonly number[], centres: Float64Array, neighbours: readonly (readonly number[])[]): void {
    let floor = Number.NEGATIVE_INFINITY;
    let pushed = 0;
    const wishes = layer.map((item) => mean(neighbours[item], centres[item], (other) => centres[other]));
    layer.forEach((item, at) => {
      const half = this.#heights[item] / 2;
      centres[item] = Math.max(wishes[at], floor + half);
      pushed += centres[item] - wishes[at];
      floor = centres[item] + half + GAP_Y;
    });
    for (const item of layer) centres[item] -= pushed / layer.length;
  }

  /** Where each layer begins, and where one more would. */
  #columns(): number[] {
    const columns = [0];
    for (const layer of this.#layers) {
      const widest = layer.reduce((most, item) => Math.max(most, this.#widths[item]), 0);
      columns.push(columns[columns.length - 1] + widest + GAP_X);
    }
    return columns;
  }
}

/** Each node's layer. What is in a cycle keeps the layer it has when no node without an open edge is left. */
function longestWays(size: number, edges: readonly (readonly [number, number])[]): number[] {
  const targets: number[][] = Array.from({ length: size }, () => []);
  const waitingFor = new Int32Array(size);
  for (const [source, target] of edges) {
    targets[source].push(target);
    waitingFor[target] += 1;
  }
  const layers = new Array<number>(size).fill(0);
  const ready: number[] = [];
  for (let n = 0; n < size; n += 1) if (!waitingFor[n]) ready.push(n);
  for (let at = 0; at < ready.length; at += 1) {
    for (const target of targets[ready[at]]) {
      layers[target] = Math.max(layers[target], layers[ready[at]] + 1);
      waitingFor[target] -= 1;
      if (!waitingFor[target]) ready.push(target);
    }
  }
  return layers;
}

function mean(items: readonly number[], otherwise: number, value: (item: number) => number): number {
  if (!items.length) return otherwise;
  let sum = 0;
  for (const item of items) sum += value(item);
  return sum / items.length;
}
