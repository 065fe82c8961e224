/** Logs: what the nodes say, as they say it. It follows until one scrolls up. */

import { useEffect, useMemo, useState, useSyncExternalStore } from "react";
import { nodeOf, titleOf } from "../canvas/graph.ts";
import type { LogLine } from "../execution/log-lines.ts";
import { useLogLines, usePrimary, useRunFacts } from "../execution/react/hooks.ts";
import { hasEnded } from "../execution/status.ts";
import { clock, count } from "../theme/format.ts";
import type { DockProps } from "./dock.tsx";
import { LineFilter } from "./line-filter.tsx";
import { filtered, type KeptPage, LEVELS } from "./log-book.ts";
import { LogReader } from "./log-reader.ts";
import { FollowButton, useTail } from "./tail.tsx";

const KINDS = Object.fromEntries(
  LEVELS.map((one) => [one, one === "debug" ? "All levels" : one === "error" ? "Errors" : `${one} and up`]),
);

/** `node`: only its lines, without the choice. */
export function Logs({
  editor,
  store,
  selection,
  api,
  source,
  toolbar,
  node,
  until = 0,
}: Pick<DockProps, "editor" | "store" | "selection" | "api" | "source"> & {
  toolbar: HTMLElement | null;
  node?: string;
  /** Only what was said up to then. */
  until?: number;
}) {
  const run = useRunFacts(store);
  const primary = usePrimary(selection);
  const [level, setLevel] = useState("debug");
  const [text, setText] = useState("");
  const [only, setOnly] = useState(false);
  const { lines, state, error, read } = useLog(api, store, source, run?.status);
  const ended = run !== null && hasEnded(run.status);
  const wanted = node ?? (only ? primary : "");
  const shown = useMemo(
    () => filtered(lines, { node: wanted, level, text, until }),
    [lines, wanted, level, text, until],
  );
  const graph = useSyncExternalStore(editor.subscribe, () => editor.graph);
  const name = (id: string) => {
    const found = nodeOf(graph, id);
    return found ? titleOf(found) : id;
  };
  return (
    <>
      <LineFilter
        toolbar={toolbar}
        find="Find in logs"
        text={text}
        setText={setText}
        which="Least level"
        kinds={KINDS}
        kind={level}
        setKind={setLevel}
        {...(node === undefined ? { only } : {})}
        setOnly={setOnly}
        selected={primary !== ""}
      />
      {error && (
        <p role="alert" className="rev-dock-note rev-ink-error">
          The log could not be read: {error}
        </p>
      )}
      {shown.length === 0 && !error ? (
        <p className="rev-dock-note">{emptyWord(state, lines.length, ended)}</p>
      ) : (
        <Lines
          lines={shown}
          name={name}
          select={(id) => selection.select(id)}
          read={read}
          single={node !== undefined}
        />
      )}
    </>
  );
}

function emptyWord(state: string, all: number, ended: boolean): string {
  if (state === "loading") return "Reading the log…";
  if (all) return "No line fits the filter.";
  return ended ? "No node of this run has logged anything." : "Nothing has been logged yet.";
}

interface LinesProps {
  readonly lines: readonly LogLine[];
  readonly single: boolean;
  name(id: string): string;
  select(id: string): void;
  read(): Promise<void>;
}

function Lines({ lines, single, name, select, read }: LinesProps) {
  const last = lines.at(-1);
  const { scroller, virtual, onScroll, follow } = useTail(
    lines.length,
    `${lines.length}:${last?.text.length}`,
  );
  return (
    <>
      <div
        ref={scroller}
        className="rev-lines"
        role="log"
        aria-live="off"
        aria-label="Log"
        tabIndex={0}
        onScroll={onScroll}
      >
        <div style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((item) => {
            const line = lines[item.index];
            return (
              <div
                key={item.key}
                ref={virtual.measureElement}
                data-index={item.index}
                className={`rev-line ${line.kind === "gap" ? "rev-line-gap" : ""}`}
                style={{ transform: `translateY(${item.start}px)` }}
              >
                {line.kind === "gap" ? (
                  <button type="button" className="rev-link" onClick={() => void read()}>
                    {count(Number(line.text), "line")} of {name(line.nodeId)} did not arrive in time · read
                    them
                  </button>
                ) : (
                  <>
                    <span className="rev-line-time">{clock(line.timestamp)}</span>
                    <span className="rev-line-level" data-level={line.level}>
                      {line.kind === "stream" ? "stream" : line.level}
                    </span>
                    {!single && (
                      <button
                        type="button"
                        className="rev-line-node"
                        title={line.path || undefined}
                        onClick={() => select(line.nodeId)}
                      >
                        {name(line.nodeId)}
                      </button>
                    )}
                    <span className={`rev-line-text ${line.kind === "stream" ? "rev-line-streamed" : ""}`}>
                      {line.text}
                    </span>
                  </>
                )}
              </div>
            );
          })}
        </div>
      </div>
      {follow && <FollowButton follow={follow} />}
    </>
  );
}

/**
 * What is kept is read when the panel opens, when the run comes to another status, and whenever lines may have been missed: after
 * each return of the connection, and while there is a gap, for lines are kept with the events that follow them.
 */
function useLog(
  api: DockProps["api"],
  store: DockProps["store"],
  source: DockProps["source"],
  status: string | undefined,
) {
  const executionId = source?.executionId ?? store.executionId;
  const live = useLogLines(store);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a log for each store
  const reader = useMemo(
    () => new LogReader(async (after) => (await api.lines(executionId, after)) as unknown as KeptPage),
    [api, executionId, store],
  );
  const version = useSyncExternalStore(reader.subscribe, () => reader.version);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the book is the same object after every page
  const lines = useMemo(() => reader.book.merged(live), [reader, live, live.length, version]);
  const gap = lines.some((line) => line.kind === "gap");
  const missed = useSyncExternalStore(store.subscribeRun.bind(store), () =>
    source ? "" : `${store.arrivals}:${gap ? store.cursor : ""}`,
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: each of them is a reason to read
  useEffect(() => {
    void reader.read();
  }, [reader, status, missed]);
  return { lines, state: reader.state, error: reader.error, read: reader.read };
}
