/** The dock below the canvas: Timeline, Logs and Events of the run, one at a time. */

import { type KeyboardEvent, useRef, useState } from "react";
import type { Editor } from "../canvas/editor.ts";
import type { Api } from "../execution/api.ts";
import { type DataSource, useHistory } from "../execution/react/history.ts";
import type { RunStore } from "../execution/run-store.ts";
import type { Selection } from "../execution/selection.ts";
import type { NodeType } from "../protocol/document.ts";
import { count } from "../theme/format.ts";
import { Events } from "./events.tsx";
import { Logs } from "./logs.tsx";
import { Timeline } from "./timeline.tsx";
import "./timeline.css";

export interface DockProps {
  readonly editor: Editor;
  readonly catalogue: ReadonlyMap<string, NodeType>;
  readonly store: RunStore;
  /** Of a replay. */
  readonly source?: DataSource;
  readonly selection: Selection;
  readonly stale: boolean;
  readonly api: Api;
  /** Milliseconds between two looks at the clock. */
  readonly pace: number;
  /** The server's clock less ours, in milliseconds. */
  readonly skew: number;
}

const TABS = ["Timeline", "Logs", "Events"] as const;
type Tab = (typeof TABS)[number];

const REMEMBERED = "flowscope.dock.tab";

export function Dock(props: DockProps) {
  const { api, store } = props;
  const [tab, setTab] = useState<Tab>(() => tabOf(localStorage.getItem(REMEMBERED)));
  const [critical, setCritical] = useState(false);
  const [history, version] = useHistory(api, store, props.source, tab === "Events" || critical);
  const tools = useRef<HTMLDivElement>(null);
  const [toolbar, setToolbar] = useState<HTMLDivElement | null>(null);
  const open = (next: Tab) => {
    setTab(next);
    localStorage.setItem(REMEMBERED, next);
  };
  const onKey = (event: KeyboardEvent) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    const next = TABS[(TABS.indexOf(tab) + by + TABS.length) % TABS.length];
    open(next);
    tools.current?.querySelector<HTMLElement>(`[data-tab="${next}"]`)?.focus();
  };
  return (
    <section aria-label="Dock" className="rev-dock" data-stale={props.stale}>
      <div className="rev-dock-bar" ref={tools}>
        <div
          role="tablist"
          aria-label="What the dock shows"
          className="rev-tabs"
          onKeyDown={onKey}
          tabIndex={-1}
        >
          {TABS.map((one) => (
            <button
              key={one}
              type="button"
              role="tab"
              id={`dock-tab-${one}`}
              data-tab={one}
              aria-selected={one === tab}
              aria-controls="dock-panel"
              tabIndex={one === tab ? 0 : -1}
              className="rev-tab"
              onClick={() => open(one)}
            >
              {one}
              {one === "Events" && history && history.events.length > 0 && (
                <span className="rev-tab-count">{count(history.cursor)}</span>
              )}
            </button>
          ))}
        </div>
        <div className="rev-dock-tools" ref={setToolbar} />
      </div>
      <div role="tabpanel" id="dock-panel" aria-labelledby={`dock-tab-${tab}`} className="rev-dock-panel">
        {history?.state === "failed" && (
          <p role="alert" className="rev-dock-note rev-ink-error">
            The journal could not be read: {history.error}
          </p>
        )}
        {tab === "Timeline" && history && (
          <Timeline
            {...props}
            history={history}
            version={version}
            toolbar={toolbar}
            critical={critical}
            setCritical={setCritical}
          />
        )}
        {tab === "Logs" && (
          <Logs {...props} toolbar={toolbar} until={props.source ? (history?.lastAt ?? 0) : 0} />
        )}
        {tab === "Events" && history && !history.brief && (
          <Events {...props} history={history} version={version} toolbar={toolbar} />
        )}
        {tab === "Events" && history?.brief && (
          <p className="rev-dock-note" aria-busy="true">
            {count(history.cursor, "event")}, which are being read…
          </p>
        )}
      </div>
    </section>
  );
}

function tabOf(remembered: string | null): Tab {
  return TABS.find((one) => one === remembered) ?? "Timeline";
}
