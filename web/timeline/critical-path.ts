/** The chain of nodes that the run's length comes from: from what ended last, back over what each had to wait for. */

import { type Graph, indexOf } from "../canvas/graph.ts";
import type { Lane } from "../execution/history.ts";

export function criticalPath(graph: Graph, lanes: ReadonlyMap<string, Lane>, now: number): Set<string> {
  const { incoming, parents, number } = indexOf(graph);
  const path = new Set<string>();
  let last = "";
  let latest = 0;
  for (const lane of lanes.values()) {
    const n = number.get(lane.nodeId);
    if (n === undefined || parents[n] >= 0) continue;
    const end = endOf(lane, now);
    if (end >= latest) {
      latest = end;
      last = lane.nodeId;
    }
  }
  while (last && !path.has(last)) {
    path.add(last);
    let next = "";
    let until = 0;
    for (const edge of incoming.get(last) ?? []) {
      const lane = lanes.get(edge.source);
      const end = lane ? endOf(lane, now) : 0;
      if (end && end >= until) {
        until = end;
        next = edge.source;
      }
    }
    last = next;
  }
  return path;
}

/** When a node's last attempt ended, `now` while it has not; 0 for one that never ran. */
export function endOf(lane: Lane, now: number): number {
  const last = lane.segments.at(-1);
  if (!last || last.status === "skipped") return 0;
  return last.to || now;
}

/** When all that a node follows had ended: from then it was queued. 0 where that is not known. */
export function readyAt(graph: Graph, lanes: ReadonlyMap<string, Lane>, nodeId: string): number {
  let ready = 0;
  const begun = lanes.get(nodeId)?.begun ?? 0;
  for (const edge of indexOf(graph).incoming.get(nodeId) ?? []) {
    const lane = lanes.get(edge.source);
    const end = lane ? endOf(lane, 0) : 0;
    if (end && end <= begun) ready = Math.max(ready, end);
  }
  return ready;
}
