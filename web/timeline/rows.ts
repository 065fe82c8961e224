/** The timeline's rows: nodes in the order in which they began, bodies below their containers, then what has not begun. */

import { type Graph, indexOf, titleOf } from "../canvas/graph.ts";
import type { HeatPage } from "../execution/api.ts";
import { Lane } from "../execution/lane.ts";
import type { RunHistory } from "../execution/run-history.ts";

export interface TimelineRow {
  readonly nodeId: string;
  readonly title: string;
  readonly depth: number;
  readonly lane: Lane | undefined;
}

/** With a lane for what a brief history leaves out, in the order in which it began. */
export function lanesOf(history: RunHistory, heat: HeatPage | undefined): ReadonlyMap<string, Lane> {
  if (!history.brief || !heat) return history.lanes;
  const lanes = new Map(history.lanes);
  for (const { nodeId, order } of heat.nodes)
    if (!lanes.has(nodeId)) {
      const lane = new Lane(nodeId);
      lane.order = order;
      lanes.set(nodeId, lane);
    }
  return lanes;
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
