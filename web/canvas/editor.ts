/**
 * A workflow being edited: the graph now, and every graph before it. Each change makes a new value; undo puts an old one back.
 * Changes with the same `merge` key within a second (dragging, typing) are one step.
 */

import type { Json, JsonObject, WorkflowEdge, WorkflowNode } from "../protocol/document.ts";
import { type Graph, indexOf, nodeOf, withBodies } from "./graph.ts";

const MOST_STEPS = 200;
const MERGE_WITHIN = 1_000;

/** What an edge joins. */
export interface Ends {
  readonly source: string;
  readonly target: string;
  readonly sourceHandle?: string | null;
  readonly targetHandle?: string | null;
}

interface Step {
  readonly graph: Graph;
  readonly label: string;
}

export interface Clipping {
  readonly flowscope: "nodes";
  readonly nodes: readonly WorkflowNode[];
  readonly edges: readonly WorkflowEdge[];
}

export class Editor {
  #graph: Graph;
  #past: Step[] = [];
  #future: Step[] = [];
  #merge = "";
  #mergedAt = 0;
  readonly #listeners = new Set<() => void>();
  readonly readOnly: boolean;

  constructor(graph: Graph, readOnly = false) {
    this.#graph = graph;
    this.readOnly = readOnly;
  }

  get graph(): Graph {
    return this.#graph;
  }

  /** What undo and redo would do, for menus; empty if nothing. */
  get undoLabel(): string {
    return this.#past.at(-1)?.label ?? "";
  }

  get redoLabel(): string {
    return this.#future.at(-1)?.label ?? "";
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Replace the graph; `label` says what was done, as in "Undo: add HTTP request". */
  change(graph: Graph, label: string, merge = ""): void {
    if (this.readOnly || graph === this.#graph) return;
    const now = Date.now();
    const same = merge !== "" && merge === this.#merge && now - this.#mergedAt < MERGE_WITHIN;
    if (!same) {
      this.#past.push({ graph: this.#graph, label });
      if (this.#past.length > MOST_STEPS) this.#past.shift();
    }
    this.#merge = merge;
    this.#mergedAt = now;
    this.#future = [];
    this.#set(graph);
  }

  /** Take over what the server has, without a step: after a reload, or when somebody else has saved. */
  reset(graph: Graph): void {
    this.#past = [];
    this.#future = [];
    this.#set(graph);
  }

  undo(): void {
    const step = this.#past.pop();
    if (!step) return;
    this.#future.push({ graph: this.#graph, label: step.label });
    this.#merge = "";
    this.#set(step.graph);
  }

  redo(): void {
    const step = this.#future.pop();
    if (!step) return;
    this.#past.push({ graph: this.#graph, label: step.label });
    this.#merge = "";
    this.#set(step.graph);
  }

  // --- what can be done ---

  rename(name: string): void {
    this.change({ ...this.#graph, rest: { ...this.#graph.rest, name } }, "rename", "rename");
  }

  /** Change members of a node's `data`; undefined takes one away. */
  setData(id: string, patch: Record<string, Json | undefined>, label = "change settings"): void {
    this.#node(id, label, `data:${id}:${Object.keys(patch).join()}`, (node) => ({
      ...node,
      data: clean({ ...node.data, ...patch }) as WorkflowNode["data"],
    }));
  }

  /** Change one field of a node's config; undefined takes it away. */
  setConfig(id: string, field: string, value: Json | undefined): void {
    this.#node(id, "change settings", `config:${id}:${field}`, (node) => ({
      ...node,
      data: { ...node.data, config: clean({ ...node.data.config, [field]: value }) as JsonObject },
    }));
  }

  #node(id: string, label: string, merge: string, change: (node: WorkflowNode) => WorkflowNode): void {
    const nodes = this.#graph.nodes.map((node) => (node.id === id ? change(node) : node));
    this.change({ ...this.#graph, nodes }, label, merge);
  }

  /** Places by id, relative to the container. */
  move(
    places: ReadonlyMap<string, { x: number; y: number; width?: number; height?: number }>,
    label = "move",
  ): void {
    const nodes = this.#graph.nodes.map((node) => {
      const place = places.get(node.id);
      if (!place) return node;
      const { x, y, ...size } = place;
      return { ...node, ...size, position: { x: Math.round(x), y: Math.round(y) } };
    });
    this.change({ ...this.#graph, nodes }, label);
  }

  add(nodes: readonly WorkflowNode[], edges: readonly WorkflowEdge[] = [], label = "add"): void {
    const graph = this.#graph;
    this.change({ ...graph, nodes: [...graph.nodes, ...nodes], edges: [...graph.edges, ...edges] }, label);
  }

  /** Join two nodes, unless they are already, or it would make a cycle; why not, or empty. */
  connect(edge: Ends): string {
    const refusal = refusalOf(this.#graph, edge);
    if (refusal) return refusal;
    const made = { ...edge, id: freshEdgeId(this.#graph, edge) } as WorkflowEdge;
    this.change({ ...this.#graph, edges: [...this.#graph.edges, made] }, "connect");
    return "";
  }

  /** Remove nodes (with their bodies and edges) and edges. */
  remove(nodeIds: Iterable<string>, edgeIds: Iterable<string> = []): void {
    const gone = withBodies(this.#graph, nodeIds);
    const cut = new Set(edgeIds);
    if (!gone.size && !cut.size) return;
    const nodes = this.#graph.nodes.filter((node) => !gone.has(node.id));
    const edges = this.#graph.edges.filter(
      (edge) => !cut.has(edge.id) && !gone.has(edge.source) && !gone.has(edge.target),
    );
    this.change({ ...this.#graph, nodes, edges }, gone.size ? "delete" : "disconnect");
  }

  copy(ids: Iterable<string>): Clipping {
    const wanted = withBodies(this.#graph, ids);
    return {
      flowscope: "nodes",
      nodes: this.#graph.nodes.filter((node) => wanted.has(node.id)),
      edges: this.#graph.edges.filter((edge) => wanted.has(edge.source) && wanted.has(edge.target)),
    };
  }

  /** Put copies in, under new ids, so many pixels further; the ids of those at the top. */
  paste(clipping: Clipping, shift: { x: number; y: number }): string[] {
    const names = new Map<string, string>();
    const taken = new Set(this.#graph.nodes.map((node) => node.id));
    for (const node of clipping.nodes) {
      const id = freshId(taken, node.id);
      taken.add(id);
      names.set(node.id, id);
    }
    const known = indexOf(this.#graph).number;
    const top: string[] = [];
    const nodes = clipping.nodes.map((node) => {
      const copy: WorkflowNode = { ...structuredClone(node), id: names.get(node.id)! };
      const parent = node.parentId === undefined ? undefined : names.get(node.parentId);
      if (parent !== undefined) {
        copy.parentId = parent;
        return copy;
      }
      if (node.parentId !== undefined && !known.has(node.parentId)) delete copy.parentId;
      copy.position = { x: (node.position?.x ?? 0) + shift.x, y: (node.position?.y ?? 0) + shift.y };
      top.push(copy.id);
      return copy;
    });
    const edges = clipping.edges.map((edge) => {
      const copy = { ...edge, source: names.get(edge.source)!, target: names.get(edge.target)! };
      return { ...copy, id: freshEdgeId(this.#graph, copy) };
    });
    this.add(nodes, edges, "paste");
    return top;
  }

  #set(graph: Graph): void {
    this.#graph = graph;
    for (const listener of [...this.#listeners]) listener();
  }
}

/** Why these two cannot be joined, or empty. */
export function refusalOf(graph: Graph, edge: Ends): string {
  if (edge.source === edge.target) return "A node cannot follow itself";
  const source = nodeOf(graph, edge.source);
  const target = nodeOf(graph, edge.target);
  if (!source || !target) return "One of the two is gone";
  if ((source.parentId ?? "") !== (target.parentId ?? ""))
    return "No connection crosses the wall of a loop or map";
  const { outgoing } = indexOf(graph);
  const same = (one: WorkflowEdge) =>
    one.target === edge.target &&
    (one.sourceHandle ?? "output") === (edge.sourceHandle ?? "output") &&
    (one.targetHandle ?? "input") === (edge.targetHandle ?? "input");
  if (outgoing.get(edge.source)?.some(same)) return "They are connected already";
  if (reaches(graph, edge.target, edge.source)) return "That would go round in a circle: use a loop for it";
  return "";
}

function reaches(graph: Graph, from: string, to: string): boolean {
  const { outgoing } = indexOf(graph);
  const seen = new Set<string>();
  const queue = [from];
  for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
    if (id === to) return true;
    if (seen.has(id)) continue;
    seen.add(id);
    for (const edge of outgoing.get(id) ?? []) queue.push(edge.target);
  }
  return false;
}

/** `http_request`, then `http_request2`, … */
export function freshId(taken: ReadonlySet<string>, wanted: string): string {
  if (!taken.has(wanted)) return wanted;
  const stem = wanted.replace(/\d+$/, "") || "node";
  for (let n = 2; ; n += 1) if (!taken.has(`${stem}${n}`)) return `${stem}${n}`;
}

function freshEdgeId(graph: Graph, edge: Ends): string {
  const taken = new Set(graph.edges.map((one) => one.id));
  const handle = edge.sourceHandle && edge.sourceHandle !== "output" ? `:${edge.sourceHandle}` : "";
  return freshId(taken, `${edge.source}${handle}->${edge.target}`);
}

function clean(members: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}
