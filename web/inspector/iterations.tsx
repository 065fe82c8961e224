/** The iterations of a loop or map: all of them as a strip, and as a list of which only what is seen is read. */

import { keepPreviousData, useQueries, useQuery, useQueryClient } from "@tanstack/react-query";
import { useVirtualizer, type VirtualItem } from "@tanstack/react-virtual";
import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import type { Api, IterationRow, IterationsPage } from "../execution/api.ts";
import { LABELS } from "../execution/status.ts";
import { count, duration } from "../theme/format.ts";
import { StatusIcon } from "../theme/status.tsx";

interface IterationsProps {
  readonly api: Api;
  readonly executionId: string;
  readonly nodeId: string;
  /** The container's own run, where it is itself in a body. */
  readonly path: string;
  /** As they were after this event; 0: as they are. */
  readonly seq: number;
  /** Another one whenever there may be something new. */
  readonly stamp: string;
  /** Milliseconds between two looks. */
  readonly pace: number;
  readonly now: number;
  choose(path: string): void;
}

const PAGE = 100;
const CELLS = 120;

export function Iterations(props: IterationsProps) {
  const { now, choose } = props;
  const [status, setStatus] = useState<"" | "error">("");
  const [at, setAt] = useState(0);
  const scroller = useRef<HTMLDivElement>(null);
  const facts = useFacts(props, status);
  const many = facts?.count ?? 0;
  const virtual = useVirtualizer({
    count: many,
    getScrollElement: () => scroller.current,
    estimateSize: () => 26,
    overscan: 10,
  });
  const rowAt = usePages(props, status, virtual.getVirtualItems());
  if (!facts) return <p aria-busy="true" />;
  if (!facts.begun) return <p className="text-muted">No iteration has begun.</p>;
  const onKey = (event: KeyboardEvent) => {
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -many, End: many }[event.key];
    const row = rowAt(at);
    if (event.key === "Enter" && row) choose(row.path);
    if (by === undefined) return;
    event.preventDefault();
    const next = Math.max(0, Math.min(many - 1, at + by));
    setAt(next);
    virtual.scrollToIndex(next, { align: "auto" });
  };
  return (
    <>
      <div className="flex items-center gap-2">
        <p className="flex-1 text-muted">
          {count(facts.ended)} of {count(facts.begun)} ended
          {facts.failed > 0 && <span className="text-error-ink"> · {count(facts.failed)} failed</span>}
        </p>
        <button
          type="button"
          className="rev-button rev-button-small"
          aria-pressed={status === "error"}
          disabled={!facts.failed && !status}
          onClick={() => {
            setStatus(status ? "" : "error");
            setAt(0);
          }}
        >
          Failed
        </button>
      </div>
      <Strip strip={facts.strip} />
      <div
        ref={scroller}
        role="listbox"
        aria-label="Iterations"
        aria-activedescendant={many ? `iteration-${at}` : undefined}
        tabIndex={0}
        onKeyDown={onKey}
        className="min-h-24 flex-1 overflow-auto rounded-lg border border-line bg-sunken text-xs"
      >
        <div role="presentation" className="relative" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((item) => {
            const row = rowAt(item.index);
            return (
              // biome-ignore lint/a11y/useFocusableInteractive: the list holds the focus, and says which is active
              // biome-ignore lint/a11y/useKeyWithClickEvents: the list hears the keys
              <div
                key={item.index}
                id={`iteration-${item.index}`}
                role="option"
                aria-selected={item.index === at}
                aria-setsize={many}
                aria-posinset={item.index + 1}
                className={`absolute inset-x-0 top-0 flex h-[26px] cursor-pointer items-center gap-2 px-2 hover:bg-hover ${item.index === at ? "bg-hover" : ""}`}
                style={{ transform: `translateY(${item.start}px)` }}
                onClick={() => {
                  setAt(item.index);
                  if (row) choose(row.path);
                }}
              >
                {row ? <Iteration row={row} now={now} /> : <span className="text-faint">…</span>}
              </div>
            );
          })}
        </div>
      </div>
    </>
  );
}

function Iteration({ row, now }: { row: IterationRow; now: number }) {
  const from = row.startedAt ? Date.parse(row.startedAt) : 0;
  const to = row.finishedAt ? Date.parse(row.finishedAt) : now;
  return (
    <>
      <StatusIcon status={row.status} size={12} />
      <span className="flex-1 truncate font-mono" title={row.error}>
        {row.path}
      </span>
      <span className={`rev-ink-${row.status}`}>{LABELS[row.status]}</span>
      <span className="w-16 text-right text-muted">{from ? duration(Math.max(0, to - from)) : ""}</span>
    </>
  );
}

/** All iterations in order, as many a cell as must be; a cell with a failure is red. */
function Strip({ strip }: Pick<IterationsPage, "strip">) {
  return (
    <svg
      viewBox={`0 0 ${strip.length} 6`}
      preserveAspectRatio="none"
      className="h-4 w-full flex-none"
      aria-hidden="true"
    >
      {strip.map((status, cell) => (
        <rect
          key={cell}
          x={cell + 0.06}
          width={0.88}
          y={status === "error" ? 0 : 1.5}
          height={status === "error" ? 6 : 3}
          fill={`var(--rev-${status || "idle"}-fill)`}
        />
      ))}
    </svg>
  );
}

// --- reading ---

function keyOf({ executionId, nodeId, path, seq }: IterationsProps): readonly unknown[] {
  return ["iterations", executionId, nodeId, path, seq];
}

/** How many there are; read again, at most once in `pace`, while things change. */
function useFacts(props: IterationsProps, status: "" | "error"): IterationsPage | undefined {
  const { api, executionId, nodeId, path, seq, stamp, pace } = props;
  const queries = useQueryClient();
  const key = keyOf(props);
  const lookAgain = useRef(() => {});
  lookAgain.current = () => void queries.invalidateQueries({ queryKey: key });
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const seen = useRef(stamp);
  useEffect(() => {
    if (seen.current === stamp) return;
    seen.current = stamp;
    timer.current ??= setTimeout(() => {
      timer.current = undefined;
      lookAgain.current();
    }, pace);
  }, [stamp, pace]);
  useEffect(() => () => clearTimeout(timer.current), []);
  return useQuery({
    queryKey: [...key, status, "facts"],
    queryFn: () =>
      api.iterations(executionId, nodeId, { path, seq, status, offset: 0, limit: 1, cells: CELLS }),
    placeholderData: keepPreviousData,
  }).data;
}

/** The rows of what is seen; those that are being read are not there yet. */
function usePages(props: IterationsProps, status: "" | "error", seen: readonly VirtualItem[]) {
  const { api, executionId, nodeId, path, seq } = props;
  const pages = [...new Set(seen.map((item) => Math.floor(item.index / PAGE)))];
  const found = useQueries({
    queries: pages.map((page) => ({
      queryKey: [...keyOf(props), status, page],
      queryFn: () =>
        api.iterations(executionId, nodeId, {
          path,
          seq,
          status,
          offset: page * PAGE,
          limit: PAGE,
          cells: 0,
        }),
    })),
  });
  return (index: number): IterationRow | undefined =>
    found[pages.indexOf(Math.floor(index / PAGE))]?.data?.iterations[index % PAGE];
}
