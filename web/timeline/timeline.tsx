/** Timeline: a row a node, a bar an attempt, against one time axis with an overview to brush in. */

import { useVirtualizer } from "@tanstack/react-virtual";
import { Maximize2, Route, ZoomIn, ZoomOut } from "lucide-react";
import {
  type CSSProperties,
  type KeyboardEvent,
  useCallback,
  useEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
} from "react";
import { createPortal } from "react-dom";
import { type Graph, indexOf } from "../canvas/graph.ts";
import { useNow, usePrimary, useRunFacts, useRunVersion } from "../execution/react/hooks.ts";
import { useTimeline } from "../execution/react/timeline.ts";
import type { RunHistory } from "../execution/run-history.ts";
import { hasEnded, STATUSES } from "../execution/status.ts";
import type { TimedNode, Timeline as Told } from "../execution/timeline.ts";
import { clock, count, duration } from "../theme/format.ts";
import { IconButton } from "../theme/icon-button.tsx";
import { StatusIcon } from "../theme/status.tsx";
import type { DockProps } from "./dock.tsx";
import {
  instantAt,
  positionOf,
  shifted,
  tickLabel,
  ticksOf,
  type Window,
  within,
  zoomed,
} from "./geometry.ts";
import { useHeat } from "./heat.ts";
import { LaneBars } from "./lane-bars.tsx";
import { Overview } from "./overview.tsx";
import { lanesOf, rowsOf } from "./rows.ts";

export interface PanelProps extends DockProps {
  readonly history: RunHistory;
  /** Of the history. */
  readonly version: number;
  /** Where the panel's own tools go. */
  readonly toolbar: HTMLElement | null;
}

const ROW = 24;
/** Pixels for the names; fewer on a phone, and beside a wide inspector. */
const LABELS = 190;
const NARROW_LABELS = 104;
/** Pixels for the word that the server stopped. */
const STOP_WORD = 130;

interface TimelineProps extends PanelProps {
  /** Only the nodes that the end hung on. */
  readonly critical: boolean;
  setCritical(critical: boolean): void;
}

export function Timeline({
  api,
  editor,
  catalogue,
  store,
  selection,
  stale,
  source,
  pace,
  skew,
  history,
  version,
  toolbar,
  critical,
  setCritical,
}: TimelineProps) {
  const graph = useSyncExternalStore(editor.subscribe, () => editor.graph);
  const run = useRunFacts(store);
  const primary = usePrimary(selection);
  useRunVersion(store);
  const [filter, setFilter] = useState("");
  const [chosen, setChosen] = useState<Window | null>(null);
  const [scroller, width, labels] = useRowWidth();
  const running = run !== null && !hasEnded(run.status);
  const ticking = useNow(pace, running && !stale, skew);
  // While the view is stale its clock stands, and so does everything that grows.
  const now = history.endedAt || Math.max(history.lastAt, source ? source.at : stale ? 0 : ticking);
  const whole = wholeOf(history.startedAt, Math.max(now, source?.endTime ?? 0));
  const window = chosen ? within(chosen, whole) : whole;

  const told = useTimeline(graph, catalogue, history, version, now);
  const hinges = [...told.criticalPath, ...criticalInside(graph, told)].join("\n");
  const path = useMemo(() => new Set(hinges.split("\n")), [hinges]);
  const heat = useHeat(api, store.executionId, history, window);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the history is the same object after every change
  const rows = useMemo(() => {
    const text = filter.trim().toLowerCase();
    return rowsOf(
      graph,
      lanesOf(history, heat),
      (id, title) =>
        (!critical || path.has(id)) &&
        (text === "" || title.toLowerCase().includes(text) || id.toLowerCase().includes(text)),
    );
  }, [graph, history, version, heat, filter, critical, path]);

  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: 6,
  });
  const place = rows.findIndex((row) => row.nodeId === primary);
  const read = history.cursor > 0;
  // biome-ignore lint/correctness/useExhaustiveDependencies: it goes where the selection goes, and not whenever rows move
  useEffect(() => {
    if (place >= 0) virtual.scrollToIndex(place, { align: "auto" });
  }, [primary, read, history.endedAt]);

  const zoom = useCallback(
    (by: number, around?: number) =>
      setChosen((last) => {
        const from = last ? within(last, whole) : whole;
        const next = zoomed(from, whole, by, around ?? (from.from + from.to) / 2);
        return next.to - next.from >= (whole.to - whole.from) * 0.999 ? null : next;
      }),
    [whole],
  );
  const pan = useCallback(
    (by: number) => setChosen((last) => (last ? shifted(last, whole, by) : last)),
    [whole],
  );
  useWheel(scroller, width, labels, window, zoom, pan);

  const step = (by: number) => {
    const next = rows[Math.max(0, Math.min(rows.length - 1, place + by))];
    if (next) selection.select(next.nodeId);
  };
  const onKey = (event: KeyboardEvent) => {
    const acts: Record<string, () => void> = {
      ArrowDown: () => step(1),
      ArrowUp: () => step(-1),
      PageDown: () => step(8),
      PageUp: () => step(-8),
      Home: () => step(-rows.length),
      End: () => step(rows.length),
      "+": () => zoom(0.6),
      "=": () => zoom(0.6),
      "-": () => zoom(1 / 0.6),
      "0": () => setChosen(null),
      ArrowLeft: () => pan(-(window.to - window.from) / 6),
      ArrowRight: () => pan((window.to - window.from) / 6),
    };
    const act = acts[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: as above
  const bars = useMemo(() => [...history.lanes.values()], [history, version]);
  const ticks = ticksOf(window, width, whole.from);
  const at = (instant: number) => labels + positionOf(window, width, instant);
  const stops = history.stops.filter((stop) => stop.to >= window.from && stop.from <= window.to);
  const seen = (instant: number) => instant >= window.from && instant <= window.to;
  return (
    <div
      className="rev-timeline"
      data-critical={critical}
      style={{ "--labels": `${labels}px` } as CSSProperties}
    >
      {toolbar &&
        createPortal(
          <>
            <input
              type="search"
              className="rev-input rev-input-small"
              placeholder="Find a node"
              aria-label="Find a node in the timeline"
              value={filter}
              onChange={(event) => setFilter(event.target.value)}
            />
            <button
              type="button"
              className="rev-button rev-button-small"
              aria-pressed={critical}
              title={`Only the nodes that the end hung on: ${count(told.criticalPath.length, "node")}, ${duration(told.work)} of it running`}
              onClick={() => setCritical(!critical)}
            >
              <Route size={13} aria-hidden />{" "}
              <span className="rev-wide">Critical path{critical && ` · ${duration(told.work)} running`}</span>
            </button>
            <IconButton label="Zoom in (+)" act={() => zoom(0.6)} Icon={ZoomIn} />
            <IconButton label="Zoom out (-)" act={() => zoom(1 / 0.6)} Icon={ZoomOut} />
            <IconButton label="Show all of it (0)" act={() => setChosen(null)} Icon={Maximize2} />
          </>,
          toolbar,
        )}
      <Overview lanes={bars} whole={whole} window={window} now={now} choose={setChosen} />
      <div className="rev-timeline-axis" aria-hidden>
        {ticks.map((tick) => (
          <span key={tick} className="rev-tick" style={{ left: at(whole.from + tick) }}>
            {tickLabel(tick)}
          </span>
        ))}
        {stops.map((stop) => (
          <span
            key={stop.from}
            className="rev-stop-word"
            hidden={at(stop.from) > labels + width - STOP_WORD}
            style={{ left: at(Math.max(stop.from, window.from)) }}
          >
            Server stopped{stop.to - stop.from >= 1 && ` · ${duration(stop.to - stop.from)}`}
          </span>
        ))}
      </div>
      <div
        ref={scroller}
        role="listbox"
        aria-label="Nodes in the order they began"
        aria-activedescendant={place >= 0 ? `row-${rows[place].nodeId}` : undefined}
        tabIndex={0}
        className="rev-timeline-rows"
        onKeyDown={onKey}
      >
        <div role="presentation" className="rev-timeline-sheet" style={{ height: virtual.getTotalSize() }}>
          {ticks.map((tick) => (
            <span
              key={tick}
              role="presentation"
              className="rev-gridline"
              style={{ left: at(whole.from + tick) }}
            />
          ))}
          {stops.map((stop) => (
            <span
              key={stop.from}
              role="presentation"
              className="rev-stop"
              title={`The server stopped at ${clock(stop.from)}, and this run was resumed at ${clock(stop.to)}`}
              style={span(at(Math.max(stop.from, window.from)), at(Math.min(stop.to, window.to)))}
            />
          ))}
          {history.pauses.map((pause) => (
            <span
              key={pause.from}
              role="presentation"
              className="rev-pause"
              title="Paused"
              style={span(at(pause.from), at(pause.to || now))}
            />
          ))}
          {virtual.getVirtualItems().map((item) => {
            const row = rows[item.index];
            const n = store.numbers.get(row.nodeId);
            const status = STATUSES[n === undefined ? 0 : store.codes[n]];
            const timed = told.nodes.get(row.nodeId);
            return (
              // biome-ignore lint/a11y/useFocusableInteractive: the list holds the focus, and says which row is active
              // biome-ignore lint/a11y/useKeyWithClickEvents: the list hears the keys
              <div
                key={row.nodeId}
                id={`row-${row.nodeId}`}
                role="option"
                aria-selected={row.nodeId === primary}
                aria-label={`${row.title}, ${status}${timed ? placeOf(timed) : path.has(row.nodeId) ? insideOf(told, row.nodeId) : ""}`}
                title={
                  timed || !path.has(row.nodeId) ? undefined : `${row.title}${insideOf(told, row.nodeId)}`
                }
                className="rev-timeline-row"
                data-critical={path.has(row.nodeId)}
                style={{ height: item.size, transform: `translateY(${item.start}px)` }}
                onClick={() => selection.select(row.nodeId)}
              >
                <span
                  className="rev-timeline-label"
                  style={{ width: labels, paddingLeft: 10 + row.depth * 14 }}
                >
                  <StatusIcon status={status} size={13} />
                  <span className="rev-clip" title={row.title}>
                    {row.title}
                  </span>
                </span>
                <LaneBars
                  lane={row.lane}
                  timed={timed}
                  window={window}
                  width={width}
                  now={now}
                  stale={stale}
                  queued={store.row(row.nodeId)?.detail.startsWith("queued, ") ?? false}
                  {...(history.brief && heat ? { heat } : {})}
                />
              </div>
            );
          })}
          {(running || source) && seen(now) && (
            <span
              role="presentation"
              className="rev-nowline"
              data-past={source !== undefined}
              style={{ left: at(now) }}
            />
          )}
        </div>
      </div>
      {rows.length === 0 && (
        <p className="rev-dock-note">{filter ? "No node has that name" : "No node is on the path yet"}</p>
      )}
    </div>
  );
}

/** The nodes of bodies that the ends of iterations hung on, where the end of the run hung on their container. */
function* criticalInside(graph: Graph, told: Told): Iterable<string> {
  const { bodies } = indexOf(graph);
  const containers = [...told.criticalPath];
  for (const id of containers)
    for (const n of bodies.get(id) ?? []) {
      const inner = graph.nodes[n].id;
      if (!told.bodies.has(inner)) continue;
      containers.push(inner);
      yield inner;
    }
}

function insideOf(told: Told, nodeId: string): string {
  return `, on the critical path of ${count(told.bodies.get(nodeId) ?? 0, "iteration")}`;
}

/** Whether the end hung on it. */
function placeOf({ critical, slack, attempts }: TimedNode): string {
  if (critical) return ", on the critical path";
  return attempts.length && slack >= 1 ? `, slack ${duration(slack)}` : "";
}

function span(left: number, right: number) {
  return { left, width: Math.max(1, right - left) };
}

/** The run from its start to now, and a little air; at least 20 ms, so that there is something to see. */
function wholeOf(from: number, now: number): Window {
  const length = Math.max(20, now - from);
  return { from, to: from + length * 1.03 };
}

/** The list's element, and how many pixels its rows have for time. */
function useRowWidth() {
  const element = useRef<HTMLDivElement>(null);
  const [room, setRoom] = useState(800);
  useEffect(() => {
    const found = element.current;
    if (!found) return;
    const measure = () => setRoom(found.clientWidth);
    const observer = new ResizeObserver(measure);
    observer.observe(found);
    measure();
    return () => observer.disconnect();
  }, []);
  const labels = room < 520 ? NARROW_LABELS : LABELS;
  return [element, Math.max(80, room - labels - 8), labels] as const;
}

/** Ctrl and the wheel zoom where the pointer is; Shift and the wheel, or sideways, move. */
function useWheel(
  scroller: React.RefObject<HTMLDivElement | null>,
  width: number,
  labels: number,
  window: Window,
  zoom: (by: number, around: number) => void,
  pan: (by: number) => void,
) {
  useEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const onWheel = (event: WheelEvent) => {
      const sideways = event.shiftKey ? event.deltaY : event.deltaX;
      if (event.ctrlKey || event.metaKey) {
        const x = event.clientX - element.getBoundingClientRect().left - labels;
        zoom(Math.exp(event.deltaY / 300), instantAt(window, width, x));
      } else if (Math.abs(sideways) > Math.abs(event.shiftKey ? 0 : event.deltaY)) {
        pan((sideways / width) * (window.to - window.from));
      } else return;
      event.preventDefault();
    };
    element.addEventListener("wheel", onWheel, { passive: false });
    return () => element.removeEventListener("wheel", onWheel);
  }, [scroller, width, labels, window, zoom, pan]);
}
