/** Events: the run's journal, newest last; a click goes to the node. */

import { type KeyboardEvent, useMemo, useState, useSyncExternalStore } from "react";
import { nodeOf, titleOf } from "../canvas/graph.ts";
import type { JournalEvent } from "../execution/api.ts";
import { usePrimary } from "../execution/react/hooks.ts";
import { StatusIcon } from "../theme/status.tsx";
import { belongs, detailOf, type EventGroup, kindOf, lookOf } from "./event-words.ts";
import { tickLabel } from "./geometry.ts";
import { LineFilter } from "./line-filter.tsx";
import { FollowButton, useTail } from "./tail.tsx";
import type { PanelProps } from "./timeline.tsx";

const GROUPS: Record<EventGroup, string> = {
  all: "All events",
  errors: "Failures",
  run: "The run's",
  nodes: "The nodes'",
};

export function Events({ editor, selection, history, version, toolbar }: PanelProps) {
  const graph = useSyncExternalStore(editor.subscribe, () => editor.graph);
  const primary = usePrimary(selection);
  const [group, setGroup] = useState<EventGroup>("all");
  const [text, setText] = useState("");
  const [only, setOnly] = useState(false);
  const [current, setCurrent] = useState(-1);
  const name = (event: JournalEvent) => {
    const found = event.nodeId === undefined ? undefined : nodeOf(graph, event.nodeId);
    return found ? titleOf(found) : (event.nodeId ?? "");
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: the history is the same object after every change
  const shown = useMemo(() => {
    const wanted = text.trim().toLowerCase();
    if (group === "all" && !wanted && !only) return history.events;
    return history.events.filter(
      (event) =>
        belongs(event, group) &&
        (!only || event.nodeId === primary) &&
        (!wanted ||
          `${event.type} ${event.nodeId ?? ""} ${event.path ?? ""} ${detailOf(event)}`
            .toLowerCase()
            .includes(wanted)),
    );
  }, [history, version, group, text, only, primary]);
  const { scroller, virtual, onScroll, follow } = useTail(shown.length, `${shown.length}`);
  const go = (n: number) => {
    const next = Math.max(0, Math.min(shown.length - 1, n));
    const event = shown[next];
    if (!event) return;
    setCurrent(event.seq);
    virtual.scrollToIndex(next, { align: "auto" });
    if (event.nodeId !== undefined) selection.select(event.nodeId);
  };
  const onKey = (event: KeyboardEvent) => {
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    go(shown.findIndex((one) => one.seq === current) + by);
  };
  return (
    <>
      <LineFilter
        toolbar={toolbar}
        find="Find an event"
        text={text}
        setText={setText}
        which="Which events"
        kinds={GROUPS}
        kind={group}
        setKind={(kind) => setGroup(kind as EventGroup)}
        only={only}
        setOnly={setOnly}
        selected={primary !== ""}
      />
      <div
        ref={scroller}
        className="rev-lines"
        role="listbox"
        aria-label="Events"
        aria-activedescendant={shown.some((one) => one.seq === current) ? `event-${current}` : undefined}
        tabIndex={0}
        onKeyDown={onKey}
        onScroll={onScroll}
      >
        <div role="presentation" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((item) => {
            const event = shown[item.index];
            const detail = detailOf(event);
            return (
              // biome-ignore lint/a11y/useFocusableInteractive: the list holds the focus, and says which row is active
              // biome-ignore lint/a11y/useKeyWithClickEvents: the list hears the keys
              <div
                key={event.seq}
                id={`event-${event.seq}`}
                role="option"
                aria-selected={event.seq === current}
                aria-current={event.seq === current}
                className="rev-line"
                style={{ transform: `translateY(${item.start}px)` }}
                onClick={() => go(item.index)}
              >
                <span className="rev-line-seq">{event.seq}</span>
                <span className="rev-line-time rev-line-since">
                  +{tickLabel(Math.round(event.at - history.startedAt))}
                </span>
                <span className={`rev-line-kind rev-badge rev-ink-${lookOf(event)}`}>
                  <StatusIcon status={lookOf(event)} size={12} />
                  <span className="rev-clip">{kindOf(event.type)}</span>
                </span>
                <span className="rev-line-node">{name(event)}</span>
                <span className="rev-line-text rev-clip" title={detail}>
                  {event.path && <span className="rev-line-time">{event.path} </span>}
                  {detail}
                </span>
              </div>
            );
          })}
        </div>
      </div>
      {follow && <FollowButton follow={follow} />}
      {shown.length === 0 && history.state === "ready" && (
        <p className="rev-dock-note rev-dock-over">No event fits the filter.</p>
      )}
    </>
  );
}
