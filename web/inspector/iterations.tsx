/** Iterations of a loop or map: which one is looked at, and all of them as a list with a strip over it. */

import { useVirtualizer } from "@tanstack/react-virtual";
import { ChevronLeft, ChevronRight } from "lucide-react";
import { type KeyboardEvent, useCallback, useMemo, useRef, useState } from "react";
import type { Graph } from "../canvas/graph.ts";
import type { RunHistory } from "../execution/run-history.ts";
import type { RunStore } from "../execution/run-store.ts";
import type { Spans } from "../execution/spans.ts";
import { ERROR, LABELS, STATUSES } from "../execution/status.ts";
import type { WorkflowNode } from "../protocol/document.ts";
import { count, duration } from "../theme/format.ts";
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
  if (!store || !inBody || !spans) return ["", choose];
  const chosen = chosenPaths.get(store) ?? "";
  if (chosen && spans.indexOf(chosen) >= 0) return [chosen, choose];
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

interface IterationsProps {
  readonly spans: Spans | null;
  readonly version: number;
  readonly now: number;
  choose(path: string): void;
}

export function Iterations({ spans, version, now, choose }: IterationsProps) {
  const [failedOnly, setFailedOnly] = useState(false);
  const [at, setAt] = useState(0);
  const scroller = useRef<HTMLDivElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the spans are the same object after every change
  const shown = useMemo(() => {
    const all = Array.from(spans?.paths ?? [], (_, n) => n);
    return failedOnly ? all.filter((n) => spans?.codes[n] === ERROR) : all;
  }, [spans, version, failedOnly]);
  const virtual = useVirtualizer({
    count: shown.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => 26,
    overscan: 10,
  });
  if (!spans?.paths.length) return <p className="text-muted">No iteration has begun.</p>;
  const onKey = (event: KeyboardEvent) => {
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key];
    if (event.key === "Enter") choose(spans.paths[shown[at]]);
    if (by === undefined) return;
    event.preventDefault();
    const next = Math.max(0, Math.min(shown.length - 1, at + by));
    setAt(next);
    virtual.scrollToIndex(next, { align: "auto" });
  };
  return (
    <>
      <div className="flex items-center gap-2">
        <p className="flex-1 text-muted">
          {count(spans.ended)} of {count(spans.paths.length)} ended
          {spans.failed > 0 && <span className="text-error-ink"> · {count(spans.failed)} failed</span>}
        </p>
        <button
          type="button"
          className="rev-button rev-button-small"
          aria-pressed={failedOnly}
          disabled={!spans.failed && !failedOnly}
          onClick={() => setFailedOnly(!failedOnly)}
        >
          Failed
        </button>
      </div>
      <Strip spans={spans} />
      <div
        ref={scroller}
        role="listbox"
        aria-label="Iterations"
        aria-activedescendant={shown.length ? `iteration-${at}` : undefined}
        tabIndex={0}
        onKeyDown={onKey}
        className="min-h-24 flex-1 overflow-auto rounded-lg border border-line bg-sunken text-xs"
      >
        <div role="presentation" className="relative" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((item) => {
            const n = shown[item.index];
            const status = STATUSES[spans.codes[n]];
            return (
              // biome-ignore lint/a11y/useFocusableInteractive: the list holds the focus, and says which is active
              // biome-ignore lint/a11y/useKeyWithClickEvents: the list hears the keys
              <div
                key={n}
                id={`iteration-${item.index}`}
                role="option"
                aria-selected={item.index === at}
                className={`absolute inset-x-0 top-0 flex h-[26px] cursor-pointer items-center gap-2 px-2 hover:bg-hover ${item.index === at ? "bg-hover" : ""}`}
                style={{ transform: `translateY(${item.start}px)` }}
                onClick={() => {
                  setAt(item.index);
                  choose(spans.paths[n]);
                }}
              >
                <StatusIcon status={status} size={12} />
                <span className="flex-1 truncate font-mono">{spans.paths[n]}</span>
                <span className={`rev-ink-${status}`}>{LABELS[status]}</span>
                <span className="w-16 text-right text-muted">
                  {duration(Math.max(0, (spans.to[n] || now) - spans.from[n]))}
                </span>
              </div>
            );
          })}
        </div>
      </div>
    </>
  );
}

const CELLS = 120;

/** All iterations in order, as many a cell as must be; a cell with a failure is red. */
function Strip({ spans }: { spans: Spans }) {
  const cells = Math.min(CELLS, spans.codes.length);
  const worst = Array.from({ length: cells }, (_, cell) => {
    const from = Math.floor((cell * spans.codes.length) / cells);
    const to = Math.max(from + 1, Math.floor(((cell + 1) * spans.codes.length) / cells));
    const part = spans.codes.slice(from, to);
    return part.includes(ERROR) ? ERROR : part[part.length - 1];
  });
  return (
    <svg
      viewBox={`0 0 ${cells} 6`}
      preserveAspectRatio="none"
      className="h-4 w-full flex-none"
      aria-hidden="true"
    >
      {worst.map((code, cell) => (
        <rect
          key={cell}
          x={cell + 0.06}
          width={0.88}
          y={code === ERROR ? 0 : 1.5}
          height={code === ERROR ? 6 : 3}
          fill={`var(--rev-${STATUSES[code]}-fill)`}
        />
      ))}
    </svg>
  );
}
