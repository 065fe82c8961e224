/** A workflow as the editor sees it: values that are never changed, with what follows from them worked out once. */

import type { WorkflowDocument, WorkflowEdge, WorkflowNode } from "../protocol/document.ts";

/** The document without its nodes and edges is kept as it came: what we do not know survives. */
export interface Graph {
  readonly rest: { readonly id: string; readonly name?: string; readonly [key: string]: unknown };
  readonly nodes: readonly WorkflowNode[];
  readonly edges: readonly WorkflowEdge[];
}

export interface GraphIndex {
  readonly number: ReadonlyMap<string, number>;
  /** The container's number for each node, or -1. */
  readonly parents: Int32Array;
  /** Body nodes of each container, by the container's id. */
  readonly bodies: ReadonlyMap<string, readonly number[]>;
  readonly incoming: ReadonlyMap<string, readonly WorkflowEdge[]>;
  readonly outgoing: ReadonlyMap<string, readonly WorkflowEdge[]>;
}

/** Keys the library adds when it tells of a workflow; they are no part of the document. */
const OF_THE_LIBRARY = [
  "version",
  "etag",
  "active",
  "activeVersion",
  "valid",
  "problems",
  "createdAt",
  "updatedAt",
  "savedBy",
];

export function graphOf(document: WorkflowDocument): Graph {
  const { nodes, edges, ...rest } = document;
  for (const key of OF_THE_LIBRARY) delete (rest as Record<string, unknown>)[key];
  return { rest: rest as Graph["rest"], nodes, edges };
}

export function documentOf(graph: Graph): WorkflowDocument {
  return { ...graph.rest, nodes: [...graph.nodes], edges: [...graph.edges] } as WorkflowDocument;
}

const indexes = new WeakMap<Graph, GraphIndex>();

export function indexOf(graph: Graph): GraphIndex {
  let index = indexes.get(graph);
  if (!index) {
    index = build(graph);
    indexes.set(graph, index);
  }
  return index;
}

function build(graph: Graph): GraphIndex {
  const number = new Map(graph.nodes.map((node, n) => [node.id, n]));
  const parents = new Int32Array(graph.nodes.length).fill(-1);
  const bodies = new Map<string, number[]>();
  graph.nodes.forEach((node, n) => {
    const parent = node.parentId === undefined ? undefined : number.get(node.parentId);
    if (parent === undefined || parent === n) return;
    parents[n] = parent;
    push(bodies, graph.nodes[parent].id, n);
  });
  const incoming = new Map<string, WorkflowEdge[]>();
  const outgoing = new Map<string, WorkflowEdge[]>();
  for (const edge of graph.edges) {
    push(incoming, edge.target, edge);
    push(outgoing, edge.source, edge);
  }
  return { number, parents, bodies, incoming, outgoing };
}

function push<Value>(lists: Map<string, Value[]>, key: string, value: Value): void {
  const list = lists.get(key);
  if (list) list.push(value);
  else lists.set(key, [value]);
}

export function nodeOf(graph: Graph, id: string): WorkflowNode | undefined {
  const n = indexOf(graph).number.get(id);
  return n === undefined ? undefined : graph.nodes[n];
}

/** All that is inside these nodes, and they themselves. */
export function withBodies(graph: Graph, ids: Iterable<string>): Set<string> {
  const { bodies } = indexOf(graph);
  const found = new Set<string>();
  const queue = [...ids];
  for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
    if (found.has(id)) continue;
    found.add(id);
    for (const n of bodies.get(id) ?? []) queue.push(graph.nodes[n].id);
  }
  return found;
}

/** The name shown for a node. */
export function titleOf(node: WorkflowNode): string {
  return node.data.label || node.id;
}
