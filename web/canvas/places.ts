/** Where everything is, in columns: absolute boxes by node number, and a grid of cells to find who is near a point. */

import type { NodeType, WorkflowNode } from "../protocol/document.ts";
import {
  BODY_HEADER,
  BODY_PADDING,
  type Box,
  CARD_HEIGHT,
  CARD_WIDTH,
  EMPTY_BODY_HEIGHT,
} from "./geometry.ts";
import { type Graph, indexOf } from "./graph.ts";

const CELL = 1_024;

export type Catalogue = ReadonlyMap<string, NodeType>;

export class Places {
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly width: Float64Array;
  readonly height: Float64Array;
  /** 1 for a container, which has a header and a body. */
  readonly container: Uint8Array;
  /** How deep inside containers; drawn and found from the outermost in. */
  readonly depth: Uint8Array;
  /** Node numbers from the outermost in. */
  readonly order: Int32Array;
  readonly bounds: Box;
  readonly #cells = new Map<number, number[]>();

  constructor(graph: Graph, catalogue: Catalogue) {
    const size = graph.nodes.length;
    const { parents, bodies } = indexOf(graph);
    this.x = new Float64Array(size);
    this.y = new Float64Array(size);
    this.width = new Float64Array(size);
    this.height = new Float64Array(size);
    this.container = new Uint8Array(size);
    this.depth = new Uint8Array(size);
    graph.nodes.forEach((node, n) => {
      this.container[n] = isContainer(node, catalogue) || bodies.has(node.id) ? 1 : 0;
    });
    const done = new Uint8Array(size);
    const settle = (n: number): void => {
      if (done[n]) return;
      done[n] = 1;
      const parent = parents[n];
      const { position } = graph.nodes[n];
      if (parent >= 0) settle(parent);
      this.depth[n] = parent >= 0 ? this.depth[parent] + 1 : 0;
      this.x[n] = (position?.x ?? 0) + (parent >= 0 ? this.x[parent] : 0);
      this.y[n] = (position?.y ?? 0) + (parent >= 0 ? this.y[parent] : 0);
      const { width, height } = sizeOf(graph, n, this.container[n] === 1);
      this.width[n] = width;
      this.height[n] = height;
    };
    for (let n = 0; n < size; n += 1) settle(n);
    this.order = Int32Array.from(graph.nodes.keys()).sort((a, b) => this.depth[a] - this.depth[b] || a - b);
    this.bounds = this.#measure(size);
  }

  box(n: number): Box {
    return { x: this.x[n], y: this.y[n], width: this.width[n], height: this.height[n] };
  }

  /** The innermost node at a point, or -1. */
  at(x: number, y: number): number {
    let found = -1;
    for (const n of this.#cells.get(cellKey(Math.floor(x / CELL), Math.floor(y / CELL))) ?? []) {
      const inside =
        x >= this.x[n] && x <= this.x[n] + this.width[n] && y >= this.y[n] && y <= this.y[n] + this.height[n];
      if (inside && (found < 0 || this.depth[n] >= this.depth[found])) found = n;
    }
    return found;
  }

  /** The innermost container whose body holds the point, or -1; those in `without` do not count. */
  containerAt(x: number, y: number, without: (n: number) => boolean): number {
    let found = -1;
    for (const n of this.#cells.get(cellKey(Math.floor(x / CELL), Math.floor(y / CELL))) ?? []) {
      if (!this.container[n] || without(n)) continue;
      const inside =
        x >= this.x[n] && x <= this.x[n] + this.width[n] && y >= this.y[n] && y <= this.y[n] + this.height[n];
      if (inside && (found < 0 || this.depth[n] > this.depth[found])) found = n;
    }
    return found;
  }

  /** The nodes that touch a box, from the outermost in. */
  within(box: Box): number[] {
    const found = new Set<number>();
    const [left, right] = [Math.floor(box.x / CELL), Math.floor((box.x + box.width) / CELL)];
    const [top, bottom] = [Math.floor(box.y / CELL), Math.floor((box.y + box.height) / CELL)];
    if ((right - left + 1) * (bottom - top + 1) > this.#cells.size) {
      for (const cell of this.#cells.values()) for (const n of cell) if (this.#touches(n, box)) found.add(n);
    } else {
      for (let cx = left; cx <= right; cx += 1) {
        for (let cy = top; cy <= bottom; cy += 1) {
          for (const n of this.#cells.get(cellKey(cx, cy)) ?? []) if (this.#touches(n, box)) found.add(n);
        }
      }
    }
    return [...found].sort((a, b) => this.depth[a] - this.depth[b] || a - b);
  }

  #touches(n: number, box: Box): boolean {
    return (
      this.x[n] < box.x + box.width &&
      this.x[n] + this.width[n] > box.x &&
      this.y[n] < box.y + box.height &&
      this.y[n] + this.height[n] > box.y
    );
  }

  #measure(size: number): Box {
    let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
    for (let n = 0; n < size; n += 1) {
      left = Math.min(left, this.x[n]);
      top = Math.min(top, this.y[n]);
      right = Math.max(right, this.x[n] + this.width[n]);
      bottom = Math.max(bottom, this.y[n] + this.height[n]);
      this.#enter(n);
    }
    return size
      ? { x: left, y: top, width: right - left, height: bottom - top }
      : { x: 0, y: 0, width: 0, height: 0 };
  }

  #enter(n: number): void {
    const [left, right] = [Math.floor(this.x[n] / CELL), Math.floor((this.x[n] + this.width[n]) / CELL)];
    const [top, bottom] = [Math.floor(this.y[n] / CELL), Math.floor((this.y[n] + this.height[n]) / CELL)];
    for (let cx = left; cx <= right; cx += 1) {
      for (let cy = top; cy <= bottom; cy += 1) {
        const key = cellKey(cx, cy);
        const cell = this.#cells.get(key);
        if (cell) cell.push(n);
        else this.#cells.set(key, [n]);
      }
    }
  }
}

const known = new WeakMap<Graph, Places>();

/** The places of a graph, worked out once. */
export function placesOf(graph: Graph, catalogue: Catalogue): Places {
  let places = known.get(graph);
  if (!places) {
    places = new Places(graph, catalogue);
    known.set(graph, places);
  }
  return places;
}

export function isContainer(node: WorkflowNode, catalogue: Catalogue): boolean {
  return catalogue.get(node.data.type)?.role === "container";
}

/** A container is at least as large as what is in it. */
function sizeOf(graph: Graph, n: number, container: boolean): { width: number; height: number } {
  const node = graph.nodes[n];
  if (!container) return { width: CARD_WIDTH, height: CARD_HEIGHT };
  const { bodies } = indexOf(graph);
  let width = Math.max(node.width ?? 0, CARD_WIDTH + 2 * BODY_PADDING);
  let height = Math.max(node.height ?? 0, EMPTY_BODY_HEIGHT);
  for (const child of bodies.get(node.id) ?? []) {
    const size = sizeOf(graph, child, bodies.has(graph.nodes[child].id));
    const { position } = graph.nodes[child];
    width = Math.max(width, (position?.x ?? 0) + size.width + BODY_PADDING);
    height = Math.max(height, (position?.y ?? BODY_HEADER) + size.height + BODY_PADDING);
  }
  return { width, height };
}

function cellKey(cx: number, cy: number): number {
  return (cx + 0x8000) * 0x10000 + (cy + 0x8000);
}
