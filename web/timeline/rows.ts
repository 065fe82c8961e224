/** The timeline's rows: nodes in the order in which they began, bodies below their containers, then what has not begun. */

import { type Graph, indexOf, titleOf } from "../canvas/graph.ts";
import type { Lane } from "../execution/lane.ts";

export interface TimelineRow {
  readonly nodeId: string;
  readonly title: string;
  readonly depth: number;
  readonly lane: Lane | undefined;
}

/** `wanted` leaves rows out; a container stays if something of its body does. */
export function rowsOf(
  graph: Graph,
  lanes: ReadonlyMap<string, Lane>,
  wanted: (nodeId: string, title: string) => boolean,
): TimelineRow[] {
  const { parents, bodies } = indexOf(graph);
  const top: number[] = [];
  for (let n = 0; n < parents.length; n += 1) if (parents[n] < 0) top.push(n);
  const rows: TimelineRow[] = [];
  const visit = (numbers: readonly number[], depth: number): boolean => {
    let any = false;
    for (const n of inOrder(numbers, graph, lanes)) {
      const node = graph.nodes[n];
      const title = titleOf(node);
      const place = rows.length;
      rows.push({ nodeId: node.id, title, depth, lane: lanes.get(node.id) });
      const body = bodies.get(node.id);
      const inside = body !== undefined && visit(body, depth + 1);
      if (inside || wanted(node.id, title)) any = true;
      else rows.splice(place, 1);
    }
    return any;
  };
  visit(top, 0);
  return rows;
}

function inOrder(
  numbers: readonly number[],
  graph: Graph,
  lanes: ReadonlyMap<string, Lane>,
): readonly number[] {
  const order = (n: number) => lanes.get(graph.nodes[n].id)?.order || Number.POSITIVE_INFINITY;
  return [...numbers].sort((one, other) => {
    const first = order(one);
    const second = order(other);
    return first === second ? one - other : first - second;
  });
}
