/** Which run of a node in a body is looked at. */

import { ChevronLeft, ChevronRight } from "lucide-react";
import { useCallback, useState } from "react";
import type { Graph } from "../canvas/graph.ts";
import type { RunHistory } from "../execution/run-history.ts";
import type { RunStore } from "../execution/run-store.ts";
import type { Spans } from "../execution/spans.ts";
import { ERROR, STATUSES } from "../execution/status.ts";
import type { WorkflowNode } from "../protocol/document.ts";
import { count } from "../theme/format.ts";
import { StatusIcon } from "../theme/status.tsx";

const chosenPaths = new WeakMap<RunStore, string>();

/** The path of the run that is looked at: the chosen one, else the first that failed, else the last. Empty at the top. */
export function usePath(
  store: RunStore | null,
  node: WorkflowNode,
  graph: Graph,
  history: RunHistory | null,
): [string, (path: string) => void] {
  const [, again] = useState(0);
  const choose = useCallback(
    (path: string) => {
      if (store) chosenPaths.set(store, path);
      again((last) => last + 1);
    },
    [store],
  );
  const inBody = graph.nodes.some((one) => one.id === node.parentId);
  const spans = history?.lanes.get(node.id)?.spans;
  if (!store || !inBody) return ["", choose];
  const chosen = chosenPaths.get(store) ?? "";
  // What was chosen from a list is there, also before the history has come so far.
  if (chosen && (!spans || history?.state !== "ready" || spans.indexOf(chosen) >= 0)) return [chosen, choose];
  if (!spans) return ["", choose];
  const failed = spans.codes.indexOf(ERROR);
  return [spans.paths[failed >= 0 ? failed : spans.paths.length - 1] ?? "", choose];
}

/** From one run of a node in a body to the next. */
export function RunPicker({
  spans,
  path,
  choose,
}: {
  spans: Spans;
  path: string;
  choose: (path: string) => void;
}) {
  const at = spans.indexOf(path);
  const status = STATUSES[spans.codes[at] ?? 0];
  const go = (n: number) => choose(spans.paths[(n + spans.paths.length) % spans.paths.length]);
  const nextFailed = () => {
    for (let step = 1; step <= spans.codes.length; step += 1) {
      const n = (at + step) % spans.codes.length;
      if (spans.codes[n] === ERROR) return go(n);
    }
  };
  return (
    <div className="flex flex-wrap items-center gap-1.5 rounded-lg border border-line bg-sunken p-1.5 text-xs">
      <button
        type="button"
        className="rev-button rev-button-small rev-button-icon"
        aria-label="Iteration before"
        onClick={() => go(at - 1)}
      >
        <ChevronLeft size={13} aria-hidden />
      </button>
      <span className="min-w-0 flex-1">
        <span className="block truncate font-mono" title={path}>
          {path}
        </span>
        <span className="flex items-center gap-1 text-muted">
          <StatusIcon status={status} size={12} /> {count(at + 1)} of {count(spans.paths.length)}
        </span>
      </span>
      {spans.failed > 0 && (
        <button type="button" className="rev-button rev-button-small" onClick={nextFailed}>
          Next failed
        </button>
      )}
      <button
        type="button"
        className="rev-button rev-button-small rev-button-icon"
        aria-label="Iteration after"
        onClick={() => go(at + 1)}
      >
        <ChevronRight size={13} aria-hidden />
      </button>
    </div>
  );
}
