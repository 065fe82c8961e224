/** Where the time of a run went, for React: what its events caused is worked out once, as they come. */

import { useMemo, useRef } from "react";
import type { NodeType } from "../../protocol/document.ts";
import { type Graph, isAlike } from "../causes.ts";
import type { RunHistory } from "../run-history.ts";
import { Clockwork, type Timeline, timelineOf } from "../timeline.ts";

/** `version` is the history's; `now`, until when what has not ended goes on. */
export function useTimeline(
  graph: Graph,
  catalogue: ReadonlyMap<string, NodeType>,
  history: RunHistory,
  version: number,
  now: number,
): Timeline {
  const known = useRef<{ graph: Graph; history: RunHistory; clockwork: Clockwork } | null>(null);
  if (known.current?.history !== history || !isAlike(known.current.graph, graph))
    known.current = {
      graph,
      history,
      clockwork: new Clockwork(graph, (type) => catalogue.get(type)?.role),
    };
  const { clockwork } = known.current;
  while (clockwork.taken < history.events.length) clockwork.take(history.events[clockwork.taken]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: history and clockwork are the same objects after every change
  return useMemo(() => timelineOf(history, clockwork, now), [history, clockwork, version, now]);
}
