/** A node on the canvas: a card of 216 by 84, or the head of a container whose body the layer below paints. */

import { Handle, type NodeProps, Position } from "@xyflow/react";
import { Pin, Play, PowerOff, TriangleAlert } from "lucide-react";
import { memo, type ReactNode, useSyncExternalStore } from "react";
import { useIsSelected, useNodeRow, useNow } from "../execution/react/hooks.ts";
import type { NodeRow } from "../execution/run-store.ts";
import { ERROR, IDLE, RUNNING, STATUSES, statusOf } from "../execution/status.ts";
import type { NodeType, WorkflowNode } from "../protocol/document.ts";
import { count, duration, growing } from "../theme/format.ts";
import { NodeBadge } from "../theme/status.tsx";
import type { CardNode } from "./cards.tsx";
import { useCanvas } from "./context.ts";
import { glyphOf } from "./glyphs.ts";
import { type Graph, nodeOf, titleOf } from "./graph.ts";
import { isContainer } from "./places.ts";
import { isNamed, portOffset, portsOf } from "./ports.ts";
import { summaryOf } from "./summary.ts";

export const NodeCard = memo(function NodeCard({ id }: NodeProps<CardNode>) {
  const { editor } = useCanvas();
  const graph = useSyncExternalStore(editor.subscribe, () => editor.graph);
  const node = nodeOf(graph, id);
  return node ? <Card graph={graph} node={node} /> : null;
});

function Card({ graph, node }: { graph: Graph; node: WorkflowNode }) {
  const { store, selection, catalogue, problems, onRunNode } = useCanvas();
  const row = useNodeRow(store, node.id);
  const selected = useIsSelected(selection, node.id);
  const container = isContainer(node, catalogue);
  const code = row?.code ?? IDLE;
  const type = catalogue.get(node.data.type);
  const Glyph = glyphOf(type?.icon ?? node.data.icon);
  const wrong = problems.get(node.id);
  const disabled = node.data.config?.disabled === true;
  return (
    <div
      className={`rev-card workflow-node node-status-${statusOf(code)}${container ? " rev-group" : ""}`}
      data-status={STATUSES[code]}
      data-selected={selected}
      data-disabled={disabled}
      data-problem={wrong !== undefined}
      data-node={node.id}
    >
      <span className="rev-stripe" />
      <span className="rev-glyph">
        <Glyph size={16} aria-hidden />
      </span>
      <span className="rev-title" title={titleOf(node)}>
        {titleOf(node)}
      </span>
      <span className="rev-kind">{kindLine(row, type?.title ?? node.data.type)}</span>
      {row && code !== IDLE ? (
        <Foot row={row} container={container} />
      ) : (
        <Rest node={node} type={type} wrong={wrong?.[0]?.message} />
      )}
      {row && container && row.total > 0 && <HeatStrip row={row} />}
      {code === ERROR && <span className="rev-corner" aria-hidden />}
      {code === RUNNING && row && row.progress >= 0 && !container && <Progress percent={row.progress} />}
      <span className="rev-marks">
        {wrong && (
          <span className="rev-mark-problem" title={wrong.map((problem) => problem.message).join("\n")}>
            <TriangleAlert size={14} aria-label={`Problem: ${wrong[0].message}`} />
          </span>
        )}
        {node.data.pinned !== undefined && (
          <span title="Its output is pinned: manual runs take it instead of running the node">
            <Pin size={13} aria-label="Output pinned" />
          </span>
        )}
        {disabled && (
          <span title="Disabled: it passes its input on">
            <PowerOff size={13} aria-label="Disabled" />
          </span>
        )}
      </span>
      {onRunNode && !container && (
        <button
          type="button"
          tabIndex={-1}
          className="rev-run nodrag"
          aria-label={`Run only ${titleOf(node)}`}
          title="Run only this node"
          onClick={() => onRunNode(node.id)}
        >
          <Play size={11} aria-hidden />
        </button>
      )}
      <Handles graph={graph} node={node} container={container} />
    </div>
  );
}

/** While it streams, the end of what it streamed stands where its kind was. */
function kindLine(row: NodeRow | null, kind: string): ReactNode {
  if (row?.streamed && row.code === RUNNING) {
    return <span className="rev-streamed">{row.streamed.replace(/\s+/g, " ").slice(-120)}</span>;
  }
  return kind;
}

function Rest({
  node,
  type,
  wrong,
}: {
  node: WorkflowNode;
  type: NodeType | undefined;
  wrong: string | undefined;
}) {
  if (wrong) return <span className="rev-foot rev-foot-problem">{wrong}</span>;
  if (node.data.config?.disabled === true) return <span className="rev-foot">Disabled</span>;
  return <span className="rev-foot rev-summary">{summaryOf(node, type)}</span>;
}

function Foot({ row, container }: { row: NodeRow; container: boolean }) {
  return (
    <span className="rev-foot">
      <NodeBadge of={row} />
      <span className="rev-time">
        <Facts row={row} container={container} />
      </span>
    </span>
  );
}

function Facts({ row, container }: { row: NodeRow; container: boolean }) {
  const { refresh, skew, stale, instant } = useCanvas();
  const ticking = row.code === RUNNING && !stale && !instant && row.startTime > 0;
  const now = useNow(Math.min(refresh, 1_000), ticking, skew);
  const facts: string[] = [];
  if (container && row.total > 0) facts.push(`${count(row.done + row.failed)} of ${count(row.total)}`);
  if (row.duration >= 0) facts.push(duration(row.duration));
  else if (row.code === RUNNING && row.startTime > 0) facts.push(growing((instant || now) - row.startTime));
  if (row.code === RUNNING && row.progress >= 0 && !container) facts.push(`${row.progress} %`);
  if (row.attempt > 1) facts.push(row.duration >= 0 ? `${row.attempt} tries` : `try ${row.attempt}`);
  return facts.join(" · ");
}

function Progress({ percent }: { percent: number }) {
  return (
    <span
      className="rev-progress progress-indicator"
      role="progressbar"
      aria-label="Progress"
      aria-valuenow={percent}
      aria-valuemin={0}
      aria-valuemax={100}
    >
      <span style={{ transform: `scaleX(${percent / 100})` }} />
    </span>
  );
}

/** A container's iterations: done, failed, and what is left. */
function HeatStrip({ row }: { row: NodeRow }) {
  const share = (part: number) => ({ flexGrow: part });
  const left = Math.max(0, row.total - row.done - row.failed);
  return (
    <span
      className="rev-heat"
      title={`${count(row.done)} done, ${count(row.failed)} failed, ${count(left)} left`}
    >
      {row.done > 0 && <span className="rev-heat-done" style={share(row.done)} />}
      {row.failed > 0 && <span className="rev-heat-failed" style={share(row.failed)} />}
      {left > 0 && <span className="rev-heat-left" style={share(left)} />}
    </span>
  );
}

function Handles({ graph, node, container }: { graph: Graph; node: WorkflowNode; container: boolean }) {
  const { editor, catalogue, onAddAfter } = useCanvas();
  const { inputs, outputs } = portsOf(node, graph, catalogue);
  const height = container ? 56 : 84;
  const connectable = !editor.readOnly;
  return (
    <>
      {inputs.map((handle, at) => (
        <Handle
          key={`in-${handle}`}
          type="target"
          id={handle}
          position={Position.Left}
          isConnectable={connectable}
          style={{ top: portOffset(at, inputs.length, height, container) }}
        >
          {isNamed(handle) && <span className="rev-port rev-port-in">{handle}</span>}
        </Handle>
      ))}
      {outputs.map((handle, at) => (
        <Handle
          key={`out-${handle}`}
          type="source"
          id={handle}
          position={Position.Right}
          isConnectable={connectable}
          style={{ top: portOffset(at, outputs.length, height, container) }}
          onClick={() => connectable && onAddAfter(node.id, handle)}
        >
          {isNamed(handle) && <span className="rev-port rev-port-out">{handle}</span>}
        </Handle>
      ))}
    </>
  );
}
