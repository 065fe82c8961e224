/** Logs: what the nodes say, as they say it. It follows until one scrolls up. */

import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { nodeOf, titleOf } from "../canvas/graph.ts";
import type { LogLine } from "../execution/log-lines.ts";
import { useLogLines, usePrimary, useRunFacts } from "../execution/react/hooks.ts";
import { hasEnded } from "../execution/status.ts";
import { clock, count } from "../theme/format.ts";
import type { DockProps } from "./dock.tsx";
import { LineFilter } from "./line-filter.tsx";
import { filtered, type KeptLine, LEVELS, LogBook } from "./log-book.ts";
import { FollowButton, useTail } from "./tail.tsx";

const PAGE = 500;

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
