/** Where the time of a run went, for React: what its events caused is worked out once, as they come. */

import { useMemo, useRef } from "react";
import type { NodeType } from "../../protocol/document.ts";
import { Causes, type Graph, isAlike, type Shape, shapeOf } from "../causes.ts";
import type { RunHistory } from "../run-history.ts";
import { type Timeline, timelineOf } from "../timeline.ts";

/** `version` is the history's; `now`, until when what has not ended goes on. */
export function useTimeline(
  graph: Graph,
  catalogue: ReadonlyMap<string, NodeType>,
  history: RunHistory,
  version: number,
  now: number,
): Timeline {
  const drawn = useRef<{ graph: Graph; shape: Shape } | null>(null);
  if (!drawn.current || !isAlike(drawn.current.graph, graph))
    drawn.current = { graph, shape: shapeOf(graph, (type) => catalogue.get(type)?.role) };
  const { shape } = drawn.current;
  const known = useRef<{ history: RunHistory; causes: Causes; taken: number } | null>(null);
  if (known.current?.history !== history || known.current.causes.shape !== shape)
    known.current = { history, causes: new Causes(shape), taken: 0 };
  const { causes } = known.current;
  for (; known.current.taken < history.events.length; known.current.taken += 1)
    causes.take(history.events[known.current.taken]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: history and causes are the same objects after every change
  return useMemo(() => timelineOf(history, causes, now), [history, causes, version, now]);
}
