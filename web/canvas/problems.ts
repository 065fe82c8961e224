/** What is wrong with a workflow, by the nodes that have it. */

import type { Problem } from "../protocol/document.ts";
import type { Graph } from "./graph.ts";

/** Say of each problem which node it is about: the server names places in the document that it was sent. */
export function located(problems: readonly Problem[], graph: Graph): Problem[] {
  return problems.map((problem) => {
    const nodeId = nodeIdOf(problem.place, graph);
    return nodeId ? { ...problem, nodeId } : problem;
  });
}

function nodeIdOf(place: string, graph: Graph): string {
  const [, list, index] = /^(nodes|edges)\[(\d+)\]/.exec(place) ?? [];
  if (list === "nodes") return graph.nodes[Number(index)]?.id ?? "";
  return list === "edges" ? (graph.edges[Number(index)]?.target ?? "") : "";
}

export function byNode(problems: readonly Problem[]): Map<string, Problem[]> {
  const found = new Map<string, Problem[]>();
  for (const problem of problems) {
    if (!problem.nodeId) continue;
    const list = found.get(problem.nodeId);
    if (list) list.push(problem);
    else found.set(problem.nodeId, [problem]);
  }
  return found;
}
