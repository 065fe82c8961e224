/** Where an arrow key leads: along the connections to the sides, and to the next in the column up and down. */

import { type Graph, indexOf } from "./graph.ts";
import { type Catalogue, placesOf } from "./places.ts";

export function neighbour(
  graph: Graph,
  catalogue: Catalogue,
  from: string,
  way: "left" | "right" | "up" | "down",
): string {
  const { number, incoming, outgoing, parents, bodies } = indexOf(graph);
  const n = number.get(from);
  if (n === undefined) return graph.nodes[0]?.id ?? "";
  const places = placesOf(graph, catalogue);
  const topmost = (ids: readonly string[]) =>
    ids.reduce(
      (best, id) => (best && places.y[number.get(best)!] <= places.y[number.get(id)!] ? best : id),
      "",
    );
  if (way === "right") {
    const next = (outgoing.get(from) ?? []).map((edge) => edge.target).filter((id) => number.has(id));
    if (next.length) return topmost(next);
    // The last of a body leads out to its container's side; a container without a follower, into its body.
    const body = bodies.get(from);
    if (body?.length) return graph.nodes[body[0]].id;
    return from;
  }
  if (way === "left") {
    const before = (incoming.get(from) ?? []).map((edge) => edge.source).filter((id) => number.has(id));
    if (before.length) return topmost(before);
    return parents[n] >= 0 ? graph.nodes[parents[n]].id : from;
  }
  return inColumn(graph, n, way === "up" ? -1 : 1, catalogue);
}

/** The nearest of the same scope above or below: near in x counts more than near in y. */
function inColumn(graph: Graph, n: number, sign: number, catalogue: Catalogue): string {
  const { parents } = indexOf(graph);
  const places = placesOf(graph, catalogue);
  let best = n;
  let least = Number.POSITIVE_INFINITY;
  for (let m = 0; m < graph.nodes.length; m += 1) {
    const dy = (places.y[m] - places.y[n]) * sign;
    if (m === n || parents[m] !== parents[n] || dy <= 0) continue;
    const away = dy + 3 * Math.abs(places.x[m] - places.x[n]);
    if (away < least) {
      least = away;
      best = m;
    }
  }
  return graph.nodes[best].id;
}
