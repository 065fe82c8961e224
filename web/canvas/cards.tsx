/** React Flow, which holds the cards that are near: loaded while the painted layer already shows the graph. */

import { type Node, ReactFlow, type ReactFlowProps } from "@xyflow/react";
import { NodeCard } from "./node-card.tsx";
import type { Flow } from "./view.ts";

export type CardNode = Node<Record<string, never>, "card">;

interface CardsProps {
  readonly nodes: CardNode[];
  readonly readOnly: boolean;
  readonly events: Partial<ReactFlowProps<CardNode>>;
  readonly onReady: (flow: Flow) => void;
}

const NODE_TYPES = { card: NodeCard };
const NO_EDGES: never[] = [];

export function Cards({ nodes, readOnly, events, onReady }: CardsProps) {
  return (
    <ReactFlow
      nodes={nodes}
      edges={NO_EDGES}
      nodeTypes={NODE_TYPES}
      minZoom={0.02}
      maxZoom={2}
      nodesFocusable={false}
      edgesFocusable={false}
      elementsSelectable={false}
      nodesDraggable={!readOnly}
      nodesConnectable={!readOnly}
      disableKeyboardA11y
      elevateNodesOnSelect={false}
      nodeDragThreshold={3}
      connectOnClick={false}
      connectionRadius={32}
      snapToGrid
      snapGrid={[12, 12]}
      deleteKeyCode={null}
      selectionKeyCode={null}
      multiSelectionKeyCode={null}
      zoomOnDoubleClick={false}
      aria-label="Nodes that are near"
      proOptions={{ hideAttribution: true }}
      onInit={onReady}
      {...events}
    />
  );
}
