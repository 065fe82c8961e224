// biome-ignore-all lint/a11y/useSemanticElements: of this table only the rows in view are drawn
// biome-ignore-all lint/a11y/useFocusableInteractive: the links in the rows hold the focus
/** The runs: newest first, live, filtered by what stands in the URL. */

import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useVirtualizer } from "@tanstack/react-virtual";
import { GitCompareArrows, Workflow, X } from "lucide-react";
import { useCallback, useDeferredValue, useEffect, useMemo, useRef, useState } from "react";
import type { ExecutionRow } from "../../execution/api.ts";
import { useNow } from "../../execution/react/hooks.ts";
import { hasEnded, RUN_LABELS, RUN_LOOK } from "../../execution/status.ts";
import { ago, clock, count, duration, growing } from "../../theme/format.ts";
import { RunBadge, StatusIcon } from "../../theme/status.tsx";
import { useCommands } from "../commands.ts";
import {
  filtersOf,
  queryOf,
  RUN_STATUSES,
  type RunsSearch,
  SPANS,
  statusesOf,
  withStatus,
} from "../runs/filters.ts";
import { type RunList, useRunList } from "../runs/run-list.ts";
import { StatusStrip } from "../runs/status-strip.tsx";
import { useServices } from "../services.tsx";
import { TopBar } from "../top-bar.tsx";

export function RunsPage() {
  const search = useSearch({ from: "/runs" });
  const navigate = useNavigate();
  const { config } = useServices();
  const minute = useNow(60_000, true);
  const query = useMemo(() => queryOf(search, minute), [search, minute]);
  const list = useRunList(useDeferredValue(query));
  const [marked, setMarked] = useState<readonly string[]>([]);
  const change = useCallback(
    (next: RunsSearch) => navigate({ to: "/runs", search: next, replace: true }),
    [navigate],
  );
  const mark = useCallback(
    (id: string) =>
      setMarked((last) => (last.includes(id) ? last.filter((one) => one !== id) : [...last.slice(-1), id])),
    [],
  );
  const compare = useCallback(() => {
    if (marked.length === 2) void navigate({ to: "/runs/compare", search: { a: marked[0], b: marked[1] } });
  }, [marked, navigate]);
  useEffect(() => {
    document.title = "Runs · flowscope";
  }, []);
  useCommands(
    useCallback(
      () => [
        {
          id: "failed-runs",
          title: "Show failed runs",
          group: "Runs",
          run: () => void change({ status: "failed" }),
        },
        { id: "all-runs", title: "Show all runs", group: "Runs", run: () => void change({}) },
      ],
      [change],
    ),
  );
  const stale = list.state === "ready" && list.error !== "";
  return (
    <>
      <TopBar
        actions={
          marked.length > 0 && (
            <button
              type="button"
              className="rev-button rev-button-primary"
              disabled={marked.length !== 2}
              title={marked.length === 2 ? "Compare the two (C)" : "Choose another one to compare"}
              onClick={compare}
            >
              <GitCompareArrows size={14} aria-hidden /> Compare {marked.length} of 2
            </button>
          )
        }
      >
        <h1 className="font-semibold">Runs</h1>
        {list.state === "ready" && (
          <span className="text-muted" role="status">
            {count(list.rows.length)}
            {list.more && "+"} {list.rows.length === 1 ? "run" : "runs"}
          </span>
        )}
      </TopBar>
      <main className="flex min-h-0 flex-1 flex-col" data-stale={stale}>
        <Filters search={search} change={change} />
        {stale && (
          <p role="alert" className="border-b border-line bg-panel px-4 py-2 text-skipped-ink">
            Stale: this is from {clock(list.readAt)}. {list.error} Looking again every{" "}
            {duration(Math.max(500, config.ui.refreshInterval))}.
          </p>
        )}
        <Body
          list={list}
          filtered={Object.keys(search).length > 0}
          marked={marked}
          mark={mark}
          compare={compare}
          clear={() => change({})}
        />
      </main>
    </>
  );
}

function Filters({ search, change }: { search: RunsSearch; change: (next: RunsSearch) => void }) {
  const { api } = useServices();
  const [text, setText] = useState(search.search ?? "");
  const workflows = useQuery({ queryKey: ["workflows", ""], queryFn: () => api.workflows() });
  const chosen = statusesOf(search);
  const latest = useRef(search);
  latest.current = search;
  const sent = useRef(text);
  // What is typed reaches the URL when typing has stopped.
  useEffect(() => {
    if (text === sent.current) return;
    const timer = setTimeout(() => {
      sent.current = text;
      change(filtersOf({ ...latest.current, search: text }));
    }, 250);
    return () => clearTimeout(timer);
  }, [text, change]);
  // The URL changed from elsewhere: what came from here is already written, and perhaps more since.
  useEffect(() => {
    const asked = search.search ?? "";
    if (asked === sent.current) return;
    sent.current = asked;
    setText(asked);
  }, [search.search]);
  const known = workflows.data?.workflows ?? [];
  const missing = search.workflow && !known.some((row) => row.id === search.workflow);
  return (
    <search className="flex flex-wrap items-center gap-2 border-b border-line bg-panel px-4 py-2">
      <input
        type="search"
        id="find-runs"
        className="rev-input rev-input-small w-48"
        placeholder="Find by id, name or error"
        aria-label="Find runs by id, name or error"
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      <fieldset className="flex flex-wrap gap-1" aria-label="Status">
        {RUN_STATUSES.map((status) => (
          <button
            key={status}
            type="button"
            className="rev-button rev-button-small"
            aria-pressed={chosen.includes(status)}
            onClick={() => change(withStatus(search, status))}
          >
            <StatusIcon status={RUN_LOOK[status]} size={13} /> {RUN_LABELS[status]}
          </button>
        ))}
      </fieldset>
      <select
        className="rev-input rev-input-small w-auto max-w-48"
        aria-label="Workflow"
        value={search.workflow ?? ""}
        onChange={(event) => change(filtersOf({ ...search, workflow: event.target.value }))}
      >
        <option value="">All workflows</option>
        {missing && <option value={search.workflow}>{search.workflow}</option>}
        {known.map((row) => (
          <option key={row.id} value={row.id}>
            {row.name || row.id}
          </option>
        ))}
      </select>
      <select
        className="rev-input rev-input-small w-auto"
        aria-label="Started"
        value={search.since ?? ""}
        onChange={(event) => change(filtersOf({ ...search, since: event.target.value }))}
      >
        <option value="">Any time</option>
        {Object.entries(SPANS).map(([key, { word }]) => (
          <option key={key} value={key}>
            {word}
          </option>
        ))}
      </select>
      <button
        type="button"
        className="rev-button rev-button-small"
        aria-pressed={search.called === "yes"}
        title="Also the runs that others called"
        onClick={() => change(filtersOf({ ...search, called: search.called ? "" : "yes" }))}
      >
        <Workflow size={13} aria-hidden /> Sub-workflows
      </button>
      {Object.keys(search).length > 0 && (
        <button
          type="button"
          className="rev-button rev-button-small rev-button-quiet"
          onClick={() => change({})}
        >
          <X size={13} aria-hidden /> Clear
        </button>
      )}
    </search>
  );
}

interface BodyProps {
  readonly list: RunList;
  readonly filtered: boolean;
  readonly marked: readonly string[];
  mark(id: string): void;
  compare(): void;
  clear(): void;
}

function Body(props: BodyProps) {
  const { list, filtered, clear } = props;
  if (list.state === "loading") return <Loading />;
  if (list.state === "failed")
    return (
      <Notice title="The runs could not be read">
        <p role="alert" className="mb-3 text-muted">
          {list.error}
        </p>
        <button type="button" className="rev-button" onClick={list.again}>
          Try again
        </button>
      </Notice>
    );
  if (!list.rows.length && filtered)
    return (
      <Notice title="No run fits">
        <button type="button" className="rev-button" onClick={clear}>
          Show all runs
        </button>
      </Notice>
    );
  if (!list.rows.length)
    return (
      <Notice title="Nothing has run yet">
        <p className="mb-3 max-w-sm text-muted">
          Every run of every workflow comes here, whoever or whatever started it, and can be watched while it
          runs.
        </p>
        <Link to="/workflows" className="rev-button rev-button-primary">
          <Workflow size={14} aria-hidden /> Open a workflow and press Run
        </Link>
      </Notice>
    );
  return <Table {...props} />;
}

const ROW = 46;

function Table({ list, marked, mark, compare }: BodyProps) {
  const { rows } = list;
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    getItemKey: (n) => rows[n].executionId,
    overscan: 6,
  });
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  const { more, readingMore, readMore } = list;
  useEffect(() => {
    if (more && !readingMore && last >= rows.length - 20) readMore();
  }, [last, more, readingMore, readMore, rows.length]);
  const current = useRef("");
  const focus = useCallback(
    (n: number) => {
      const next = Math.max(0, Math.min(rows.length - 1, n));
      virtual.scrollToIndex(next, { align: "auto" });
      const id = rows[next].executionId;
      current.current = id;
      // The row may have to be drawn first.
      requestAnimationFrame(() =>
        requestAnimationFrame(() => document.getElementById(`run-${id}`)?.focus({ preventScroll: true })),
      );
    },
    [rows, virtual],
  );
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const typing = (event.target as HTMLElement).closest("input, textarea, select, dialog");
      if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
      const at = rows.findIndex((row) => row.executionId === current.current);
      if (event.key === "j" || event.key === "ArrowDown") focus(at + 1);
      else if (event.key === "k" || event.key === "ArrowUp") focus(at - 1);
      else if (event.key === "x" && at >= 0) mark(rows[at].executionId);
      else if (event.key === "c") compare();
      else if (event.key === "Enter" && at >= 0 && event.target === document.body)
        document.getElementById(`run-${current.current}`)?.click();
      else if (event.key === "/") document.getElementById("find-runs")?.focus();
      else return;
      event.preventDefault();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [rows, focus, mark, compare]);
  return (
    <div ref={scroller} className="min-h-0 flex-1 overflow-auto">
      <div role="table" aria-label="Runs" aria-rowcount={rows.length + 1} className="min-w-full">
        <div
          role="row"
          aria-rowindex={1}
          className={`${COLUMNS} sticky top-0 z-10 h-8 border-b border-line bg-panel text-xs text-faint`}
        >
          <span role="columnheader">
            <span className="rev-visually-hidden">Compare</span>
          </span>
          <span role="columnheader">Status</span>
          <span role="columnheader">Workflow</span>
          <span role="columnheader" className="max-md:hidden">
            Nodes
          </span>
          <span role="columnheader" className="max-sm:hidden">
            Started
          </span>
          <span role="columnheader" className="text-right">
            Duration
          </span>
        </div>
        <div role="rowgroup" className="relative" style={{ height: virtual.getTotalSize() }}>
          {items.map((item) => (
            <Row
              key={item.key}
              row={rows[item.index]}
              n={item.index}
              top={item.start}
              marked={marked.includes(rows[item.index].executionId)}
              mark={mark}
              seen={(id) => {
                current.current = id;
              }}
            />
          ))}
        </div>
      </div>
      {list.readingMore && <p className="p-3 text-center text-faint">Reading more…</p>}
    </div>
  );
}

const COLUMNS =
  "grid items-center gap-3 px-4 grid-cols-[20px_104px_minmax(0,1fr)_76px] sm:grid-cols-[20px_108px_minmax(0,1fr)_110px_84px] md:grid-cols-[20px_108px_minmax(0,1.4fr)_minmax(120px,1fr)_110px_84px]";

interface RowProps {
  readonly row: ExecutionRow;
  readonly n: number;
  readonly top: number;
  readonly marked: boolean;
  mark(id: string): void;
  seen(id: string): void;
}

function Row({ row, n, top, marked, mark, seen }: RowProps) {
  const name = row.workflowName || row.workflowId;
  return (
    <div
      role="row"
      aria-rowindex={n + 2}
      className={`${COLUMNS} absolute inset-x-0 top-0 border-b border-line focus-within:bg-hover hover:bg-hover ${marked ? "bg-accent-soft" : ""}`}
      style={{ height: ROW, transform: `translateY(${top}px)` }}
    >
      <span role="cell" className="relative z-1 flex">
        <input
          type="checkbox"
          className="size-4 accent-(--rev-accent-fill)"
          aria-label={`Compare ${name}, ${row.executionId}`}
          checked={marked}
          onChange={() => mark(row.executionId)}
        />
      </span>
      <span role="cell">
        <RunBadge status={row.status} detail={row.detail ?? ""} />
      </span>
      <span role="cell" className="min-w-0">
        <Link
          id={`run-${row.executionId}`}
          to="/runs/$executionId"
          params={{ executionId: row.executionId }}
          preload={false}
          onFocus={() => seen(row.executionId)}
          className="block truncate font-medium after:absolute after:inset-0 focus-visible:outline-none focus-visible:after:outline-2 focus-visible:after:-outline-offset-2 focus-visible:after:outline-(--rev-focus)"
        >
          {name}
        </Link>
        <span
          className={`block truncate text-xs ${row.error ? "text-error-ink" : "font-mono text-faint"}`}
          title={row.error ?? row.executionId}
        >
          {row.error ?? row.executionId}
        </span>
      </span>
      <span role="cell" className="max-md:hidden">
        <StatusStrip row={row} />
      </span>
      <span
        role="cell"
        className="text-muted max-sm:hidden"
        title={new Date(row.startedAt).toLocaleString("en-GB")}
      >
        {ago(row.startedAt)}
      </span>
      <span role="cell" className="text-right text-muted">
        {hasEnded(row.status) ? duration(row.durationMs ?? 0) : <Growing since={row.startedAt} />}
      </span>
    </div>
  );
}

function Growing({ since }: { since: string }) {
  const { config, runs } = useServices();
  const now = useNow(config.ui.refreshInterval, true, runs.connection.skew);
  return <>{growing(now - Date.parse(since))}</>;
}

function Notice({ title, children }: { title: string; children: React.ReactNode }) {
  return (
    <div className="grid flex-1 place-items-center p-6">
      <div className="text-center">
        <h2 className="mb-2 text-base font-semibold">{title}</h2>
        {children}
      </div>
    </div>
  );
}

function Loading() {
  return (
    <div aria-busy="true" className="flex-1 overflow-hidden">
      <p className="rev-visually-hidden" role="status">
        Reading the runs
      </p>
      {Array.from({ length: 14 }, (_, n) => (
        <div key={n} className="flex h-[46px] items-center gap-4 border-b border-line px-4">
          <span className="h-3 w-24 rounded bg-hover" />
          <span className="h-3 rounded bg-hover" style={{ width: `${18 + ((n * 37) % 24)}%` }} />
        </div>
      ))}
    </div>
  );
}
