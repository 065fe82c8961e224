/** What is known of the selected node: its settings while it is edited, its data while it runs. */

import { ArrowRightToLine, GitFork, X } from "lucide-react";
import {
  type KeyboardEvent,
  lazy,
  Suspense,
  useEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
} from "react";
import type { Editor } from "../canvas/editor.ts";
import { type Graph, nodeOf, titleOf } from "../canvas/graph.ts";
import type { Api } from "../execution/api.ts";
import { type DataSource, useHistory } from "../execution/react/history.ts";
import { useNodeRow, useNow, usePrimary, useRunFacts } from "../execution/react/hooks.ts";
import type { RunHistory } from "../execution/run-history.ts";
import type { NodeRow, RunStore } from "../execution/run-store.ts";
import type { Selection } from "../execution/selection.ts";
import { ERROR, hasEnded, IDLE, RUNNING, SUCCESS } from "../execution/status.ts";
import type { NodeType, Problem, WorkflowNode } from "../protocol/document.ts";
import { duration, growing } from "../theme/format.ts";
import { NodeBadge } from "../theme/status.tsx";
import { Logs } from "../timeline/logs.tsx";
import "../timeline/timeline.css";
import { AnswerPanel } from "./answer-panel.tsx";
import { AttemptsPanel } from "./attempts-panel.tsx";
import { ErrorPanel } from "./error-panel.tsx";
import { Iterations } from "./iterations.tsx";
import { PayloadPanel } from "./payload-panel.tsx";
import { RunPicker, usePath } from "./run-picker.tsx";
import { WhyPanel } from "./why-panel.tsx";

const Settings = lazy(async () => ({ default: (await import("./settings/settings.tsx")).Settings }));

export interface InspectorProps {
  readonly editor: Editor;
  readonly store: RunStore | null;
  readonly source?: DataSource;
  readonly selection: Selection;
  readonly problems: readonly Problem[];
  readonly stale: boolean;
  readonly api: Api;
  readonly catalogue: ReadonlyMap<string, NodeType>;
  readonly pace: number;
  readonly skew: number;
  /** Run it again from this node on: with what it got, or with something else. */
  readonly onFork?: (nodeId: string) => void;
  /** Run only what leads to it. */
  readonly onRunTo?: (nodeId: string) => void;
}

export type Tab = "Settings" | "Input" | "Output" | "Error" | "Logs" | "Attempts" | "Iterations";

export function Inspector(props: InspectorProps) {
  const { editor, store, selection } = props;
  const id = usePrimary(selection);
  const graph = useSyncExternalStore(editor.subscribe, () => editor.graph);
  const node = nodeOf(graph, id);
  const row = useNodeRow(store, id);
  if (!node) return null;
  return <NodeInspector key={`${store?.executionId}/${id}`} {...props} node={node} graph={graph} row={row} />;
}

export interface NodePanelProps extends InspectorProps {
  readonly node: WorkflowNode;
  readonly graph: Graph;
  readonly row: NodeRow | null;
}

function NodeInspector(props: NodePanelProps) {
  const { editor, store, selection, api, catalogue, node, row, stale, pace, skew } = props;
  const kind = catalogue.get(node.data.type);
  const contained = node.parentId !== undefined || kind?.role === "container";
  const [history, version] = useHistory(api, store, props.source, contained);
  const run = useRunFacts(store);
  const lane = history?.lanes.get(node.id);
  const [path, setPath] = usePath(store, node, props.graph, history);
  const running = row?.code === RUNNING || (run !== null && !hasEnded(run.status));
  const clock = useNow(pace, running && !stale, skew);
  const now = history?.endedAt || Math.max(props.source ? 0 : clock, history?.lastAt ?? 0);
  const tabs = tabsOf(editor.readOnly, row, kind?.role === "container" && row !== null && row.total > 0);
  const [chosen, choose] = useState<Tab | null>(null);
  const tab = chosen && tabs.includes(chosen) ? chosen : firstOf(tabs, row);
  return (
    <aside aria-label="Inspector" className="flex min-h-0 flex-1 flex-col bg-panel">
      <header className="flex items-start gap-2 px-4 pt-3">
        <div className="min-w-0 flex-1">
          <h2 className="truncate text-sm font-semibold">{titleOf(node)}</h2>
          <p className="truncate text-xs text-muted">
            {kind?.title ?? node.data.type} · <code className="font-mono">{node.id}</code>
          </p>
        </div>
        <button
          type="button"
          className="rev-button rev-button-quiet rev-button-small rev-button-icon"
          aria-label="Close the inspector"
          title="Close (Esc)"
          onClick={() => selection.clear()}
        >
          <X size={14} aria-hidden />
        </button>
      </header>
      {row && store && (
        <div className="max-h-[60%] flex-none overflow-y-auto px-4 py-1.5">
          <StatusLine row={row} now={now} />
          {history && (
            <WhyPanel {...props} row={row} store={store} history={history} version={version} now={now} />
          )}
          <AnswerPanel {...props} row={row} store={store} />
          {props.onFork && node.parentId === undefined && (
            <div className="mt-2 flex flex-wrap gap-1.5">
              {row.startTime > 0 && (
                <button
                  type="button"
                  className="rev-button rev-button-small"
                  title="A new run from this node on, with what it got or with something else; what is before it is kept"
                  onClick={() => props.onFork?.(node.id)}
                >
                  <GitFork size={13} aria-hidden />{" "}
                  {row.code === ERROR ? "Retry from here" : "Run again from here"}
                </button>
              )}
              <button
                type="button"
                className="rev-button rev-button-small"
                title="A new run that goes no further than this node (Ctrl Shift Enter)"
                onClick={() => props.onRunTo?.(node.id)}
              >
                <ArrowRightToLine size={13} aria-hidden /> Run to here
              </button>
            </div>
          )}
        </div>
      )}
      <Tabs tabs={tabs} tab={tab} choose={choose} />
      <div
        role="tabpanel"
        id="inspector-panel"
        aria-labelledby={`inspector-tab-${tab}`}
        className="flex min-h-0 flex-1 flex-col gap-2 overflow-auto p-4"
      >
        {lane?.spans && node.parentId !== undefined && tab !== "Settings" && (
          <RunPicker spans={lane.spans} path={path} choose={setPath} />
        )}
        {tab === "Settings" ? (
          <Suspense fallback={<p className="text-faint">Loading…</p>}>
            <Settings {...props} kind={kind} />
          </Suspense>
        ) : (
          store &&
          row && (
            <DataPanel
              {...props}
              tab={tab}
              row={row}
              store={store}
              history={history}
              version={version}
              path={path}
              choosePath={setPath}
              now={now}
            />
          )
        )}
      </div>
    </aside>
  );
}

interface DataPanelProps extends NodePanelProps {
  readonly tab: Tab;
  readonly row: NodeRow;
  readonly store: RunStore;
  readonly history: RunHistory | null;
  readonly version: number;
  readonly path: string;
  choosePath(path: string): void;
  readonly now: number;
}

function DataPanel(props: DataPanelProps) {
  const { tab, api, store, source, node, row, history, version, path, now } = props;
  const from = source ?? { executionId: store.executionId, seq: 0 };
  const stamp = `${row.code}/${row.attempt}/${from.seq}`;
  switch (tab) {
    case "Input":
    case "Output": {
      const which = tab === "Input" ? "input" : "output";
      const spans = path ? history?.lanes.get(node.id)?.spans : null;
      const code = spans?.codes[spans.indexOf(path)] ?? row.code;
      return (
        <PayloadPanel
          api={api}
          path={api.payloadPath(from.executionId, node.id, which, path, from.seq)}
          label={`${tab} of ${titleOf(node)}`}
          root={tab === "Input" ? "json" : node.id}
          stamp={stamp}
          there={tab === "Input" ? path !== "" || row.startTime > 0 : code === SUCCESS}
          nothing={tab === "Input" ? "It has not started, and got nothing yet." : nothingGiven(row)}
          file={`${node.id}-${which}.json`}
        />
      );
    }
    case "Error":
      return <ErrorPanel {...props} path={path} history={history} version={version} />;
    case "Logs":
      return (
        <div className="relative -mx-4 -mb-4 flex min-h-0 flex-1 flex-col">
          <Logs {...props} toolbar={null} node={node.id} />
        </div>
      );
    case "Attempts":
      return (
        history && (
          <AttemptsPanel history={history} version={version} nodeId={node.id} path={path} now={now} />
        )
      );
    case "Iterations":
      return (
        <Iterations
          api={api}
          executionId={from.executionId}
          nodeId={node.id}
          path={path}
          seq={from.seq}
          stamp={`${row.code}/${row.attempt}/${row.total}/${row.done}/${row.failed}`}
          pace={props.pace}
          now={now}
          choose={(chosen) => openBody(props, chosen)}
        />
      );
    case "Settings":
      return null;
  }
}

/** Go from an iteration to what is inside of it: the node that failed there, else the first. */
function openBody({ graph, node, history, choosePath, selection }: DataPanelProps, path: string): void {
  choosePath(path);
  const body = graph.nodes.filter((one) => one.parentId === node.id);
  const failed = body.find((one) => {
    const spans = history?.lanes.get(one.id)?.spans;
    const n = spans?.indexOf(path) ?? -1;
    return n >= 0 && spans?.codes[n] === ERROR;
  });
  const next = failed ?? body[0];
  if (next) selection.select(next.id);
}

function nothingGiven(row: NodeRow): string {
  if (row.code === ERROR) return "It failed, and gave nothing.";
  if (row.code === RUNNING) return "It is still running.";
  return "It has given nothing.";
}

function tabsOf(readOnly: boolean, row: NodeRow | null, container: boolean): Tab[] {
  const settings: Tab[] = ["Settings"];
  if (!row) return settings;
  const data: Tab[] = ["Input", "Output"];
  if (row.code === ERROR || row.error) data.push("Error");
  if (container) data.push("Iterations");
  data.push("Logs", "Attempts");
  return readOnly ? [...data, ...settings] : [...settings, ...data];
}

/** What opens by itself: the error of what failed, the output of what ran, the settings of the rest. */
function firstOf(tabs: readonly Tab[], row: NodeRow | null): Tab {
  if (tabs.includes("Error")) return "Error";
  return row && row.code !== IDLE && tabs[0] !== "Settings" ? "Output" : tabs[0];
}

function StatusLine({ row, now }: { row: NodeRow; now: number }) {
  const parts: string[] = [];
  if (row.attempt > 1) parts.push(`attempt ${row.attempt}`);
  if (row.duration >= 0 && row.startTime) parts.push(duration(row.duration));
  else if (row.code === RUNNING && row.startTime) parts.push(growing(now - row.startTime));
  if (row.progress >= 0 && row.code === RUNNING) parts.push(`${row.progress} %`);
  return (
    <p className="flex flex-wrap items-center gap-x-2 text-xs">
      <NodeBadge of={row} />
      {parts.length > 0 && <span className="text-muted">{parts.join(" · ")}</span>}
    </p>
  );
}

function Tabs({ tabs, tab, choose }: { tabs: readonly Tab[]; tab: Tab; choose: (tab: Tab) => void }) {
  const list = useRef<HTMLDivElement>(null);
  const onKey = (event: KeyboardEvent) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    const next = tabs[(tabs.indexOf(tab) + by + tabs.length) % tabs.length];
    choose(next);
    list.current?.querySelector<HTMLElement>(`[data-tab="${next}"]`)?.focus();
  };
  // A tab that is out of sight on a narrow inspector comes into it.
  useEffect(() => {
    list.current
      ?.querySelector(`[data-tab="${tab}"]`)
      ?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [tab]);
  return (
    <div
      ref={list}
      role="tablist"
      aria-label="What is shown of the node"
      tabIndex={-1}
      onKeyDown={onKey}
      className="rev-tabs mt-1 flex-none overflow-x-auto border-b border-line px-2"
      style={{ scrollbarWidth: "none" }}
    >
      {useMemo(
        () =>
          tabs.map((one) => (
            <button
              key={one}
              type="button"
              role="tab"
              id={`inspector-tab-${one}`}
              data-tab={one}
              aria-selected={one === tab}
              aria-controls="inspector-panel"
              tabIndex={one === tab ? 0 : -1}
              className="rev-tab"
              onClick={() => choose(one)}
            >
              {one}
            </button>
          )),
        [tabs, tab, choose],
      )}
    </div>
  );
}
