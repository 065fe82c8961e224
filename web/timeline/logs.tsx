/** Logs: what the nodes say, as they say it. It follows until one scrolls up. */

import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown } from "lucide-react";
import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { createPortal } from "react-dom";
import { nodeOf, titleOf } from "../canvas/graph.ts";
import type { LogLine } from "../execution/log-lines.ts";
import { useLogLines, usePrimary, useRunFacts } from "../execution/react/hooks.ts";
import { hasEnded } from "../execution/status.ts";
import { clock, count } from "../theme/format.ts";
import type { DockProps } from "./dock.tsx";
import { filtered, type KeptLine, LEVELS, LogBook } from "./log-book.ts";

const PAGE = 500;

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
  const { lines, state, error, read } = useLog(api, store, source?.executionId ?? store.executionId);
  const ended = run !== null && hasEnded(run.status);
  // When it ends, what was dropped on the way is read.
  useEffect(() => {
    if (ended) void read();
  }, [ended, read]);
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
      {toolbar &&
        createPortal(
          <>
            <input
              type="search"
              className="rev-input rev-input-small"
              placeholder="Find in logs"
              aria-label="Find in logs"
              value={text}
              onChange={(event) => setText(event.target.value)}
            />
            <select
              className="rev-input rev-input-small rev-select"
              aria-label="Least level"
              value={level}
              onChange={(event) => setLevel(event.target.value)}
            >
              {LEVELS.map((one) => (
                <option key={one} value={one}>
                  {one === "debug" ? "All levels" : one === "error" ? "Errors" : `${one} and up`}
                </option>
              ))}
            </select>
            {node === undefined && (
              <button
                type="button"
                className="rev-button rev-button-small"
                aria-pressed={only}
                disabled={!primary && !only}
                title="Only the lines of the selected node"
                onClick={() => setOnly(!only)}
              >
                Selected node
              </button>
            )}
          </>,
          toolbar,
        )}
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
  const scroller = useRef<HTMLDivElement>(null);
  const [follow, setFollow] = useState(true);
  const virtual = useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => 20,
    overscan: 12,
  });
  const last = lines.at(-1);
  const growth = `${lines.length}:${last?.text.length}`;
  // biome-ignore lint/correctness/useExhaustiveDependencies: it goes to the end whenever there is more
  useEffect(() => {
    if (follow && lines.length) virtual.scrollToIndex(lines.length - 1, { align: "end" });
  }, [growth, follow]);
  const onScroll = () => {
    const box = scroller.current;
    if (box) setFollow(box.scrollHeight - box.scrollTop - box.clientHeight < 24);
  };
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
      {!follow && (
        <button
          type="button"
          className="rev-button rev-button-small rev-to-end"
          onClick={() => setFollow(true)}
        >
          <ArrowDown size={13} aria-hidden /> Follow
        </button>
      )}
    </>
  );
}

/** What is kept is read when the panel opens, and again when asked to; the rest comes live. */
function useLog(api: DockProps["api"], store: DockProps["store"], executionId: string) {
  const live = useLogLines(store);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a book for each run
  const book = useMemo(() => new LogBook(), [store]);
  const [version, setVersion] = useState(0);
  const [state, setState] = useState<"loading" | "ready">("loading");
  const [error, setError] = useState("");
  const busy = useRef<Promise<void> | null>(null);
  const read = useCallback(async () => {
    busy.current ??= (async () => {
      try {
        for (let more = true; more; ) {
          const page = await api.lines(executionId, book.next);
          book.keep(page.lines as unknown as KeptLine[], page.nextOffset);
          more = page.lines.length >= PAGE;
        }
        setError("");
      } catch (failed) {
        setError(failed instanceof Error ? failed.message : String(failed));
      }
      setState("ready");
      setVersion((last) => last + 1);
      busy.current = null;
    })();
    await busy.current;
  }, [api, executionId, book]);
  useEffect(() => {
    void read();
  }, [read]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the book is the same object after every page
  const lines = useMemo(() => book.merged(live), [book, live, live.length, version]);
  return { lines, state, error, read };
}
