/** A run as it happens, in somebody's own application: connection, progress, the graph, and what each node did when. */

import { lazy, Suspense, useEffect, useState } from "react";
import type { RunFacts, RunStore } from "../execution/run-store.ts";
import { statusOf } from "../execution/status.ts";
import type { NodeType, WorkflowDocument } from "../protocol/document.ts";
import { duration } from "../theme/format.ts";
import { NodeBadge, RunBadge } from "../theme/status.tsx";
import { useWatched } from "./context.ts";
import { useConnection, useExecution } from "./hooks.ts";
import { ExecutionProvider, type ExecutionProviderProps } from "./provider.tsx";
import { useDrawnRows } from "./rows.ts";

const LiveGraph = lazy(() => import("./live-graph.tsx"));

export interface RealtimeExecutionVisualizerProps extends ExecutionProviderProps {
  /** Whether to draw the graph; without it, for a host that draws its own. Default true. */
  readonly graph?: boolean;
  /** Default: the system's. */
  readonly theme?: "light" | "dark";
}

/**
 * Connects to `/ws/executions` of `backendUrl`, reconnects for ever and resumes where it was. `children` are drawn below it
 * and may use `useExecution`, `useNode` and `useConnection`.
 */
export function RealtimeExecutionVisualizer(props: RealtimeExecutionVisualizerProps) {
  const { graph = true, children, ...watching } = props;
  const theme = useTheme(props.theme);
  return (
    <ExecutionProvider {...watching}>
      <section className="rev-root realtime-visualizer" aria-label="Execution" data-theme={theme}>
        <Header />
        {graph && <GraphPane key={theme} />}
        <NodeList />
        {children}
      </section>
    </ExecutionProvider>
  );
}

function useTheme(wanted: "light" | "dark" | undefined): "light" | "dark" {
  const [dark, setDark] = useState(() => matchMedia("(prefers-color-scheme: dark)").matches);
  useEffect(() => {
    const query = matchMedia("(prefers-color-scheme: dark)");
    const look = () => setDark(query.matches);
    query.addEventListener("change", look);
    return () => query.removeEventListener("change", look);
  }, []);
  return wanted ?? (dark ? "dark" : "light");
}

function Header() {
  const execution = useExecution();
  const connection = useConnection();
  return (
    <header className="rev-visualizer-header">
      <span role="status" className="rev-visualizer-light" data-state={connection.state}>
        <span aria-hidden className="rev-visualizer-dot" />
        {connection.text}
      </span>
      {execution && (
        <>
          <span className={`execution-badge ${execution.status}`}>
            <RunBadge status={execution.status} detail={execution.detail} />
          </span>
          <span className="rev-visualizer-progress">{progressText(execution)}</span>
          {execution.duration !== undefined && <span>{duration(execution.duration)}</span>}
          <div
            role="progressbar"
            aria-label="Progress"
            aria-valuenow={execution.progress}
            aria-valuemin={0}
            aria-valuemax={100}
            className="progress-indicator"
          >
            <span style={{ transform: `scaleX(${execution.progress / 100})` }} />
          </div>
          {execution.error && (
            <p role="alert" className="rev-visualizer-error">
              {execution.error}
            </p>
          )}
        </>
      )}
    </header>
  );
}

function progressText({ progress, completedNodes, totalNodes }: RunFacts): string {
  return `${progress}% complete (${completedNodes}/${totalNodes} nodes)`;
}

interface Drawn {
  readonly document: WorkflowDocument;
  readonly catalogue: ReadonlyMap<string, NodeType>;
}

function GraphPane() {
  const { executionId, server, store } = useWatched();
  const connection = useConnection();
  const known = store !== null && store.cursor >= 0;
  const [drawn, setDrawn] = useState<Drawn | null>(null);
  // What a server does not know yet it has no definition of: ask when it has been heard.
  const heard = useExecution() !== null && known;
  useEffect(() => {
    setDrawn(null);
    if (!heard) return;
    let wanted = true;
    Promise.all([server.definition(executionId), server.nodeTypes()]).then(([document, catalogue]) => {
      if (wanted && document) setDrawn({ document, catalogue });
    });
    return () => {
      wanted = false;
    };
  }, [server, executionId, heard]);
  if (!drawn) return null;
  const stale = !connection.isLive && connection.state !== "catching-up";
  return (
    <div className="rev-visualizer-graph">
      <Suspense fallback={null}>
        <LiveGraph {...drawn} store={store} stale={stale} />
      </Suspense>
    </div>
  );
}

/** The nodes that have started, in the order they did. */
function NodeList() {
  const { store } = useWatched();
  const { rows, more } = useDrawnRows(store);
  if (!rows.length) return null;
  return (
    <ol className="execution-timeline" aria-label="Nodes">
      {rows.map((row) => (
        <NodeItem key={row.nodeId} row={row} />
      ))}
      {more > 0 && <li className="rev-visualizer-more">and {more} more</li>}
    </ol>
  );
}

function NodeItem({ row }: { row: NonNullable<ReturnType<RunStore["row"]>> }) {
  return (
    <li className={`execution-timeline-item ${statusOf(row.code)}`} data-node-id={row.nodeId}>
      <span className="rev-visualizer-name">{row.name || row.nodeId}</span>
      <NodeBadge of={row} />
      <span className="rev-visualizer-time">{row.duration ? duration(row.duration) : ""}</span>
      {row.error && <span className="rev-visualizer-reason">{row.error}</span>}
    </li>
  );
}
