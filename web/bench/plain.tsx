/** The floor beside the studio in `make bench`: as many nodes in plain React Flow, each showing its status, changed by `setNodes`. */

import "@xyflow/react/dist/style.css";
import { Background, type Node, ReactFlow, useNodesState } from "@xyflow/react";
import { useEffect } from "react";
import { createRoot } from "react-dom/client";

const STATUSES = ["idle", "running", "success"];
const parameters = new URLSearchParams(location.search);
const size = Number(parameters.get("nodes") ?? 5_000);
const rate = Number(parameters.get("rate") ?? 1_000);
const across = 150;

const nodes: Node[] = Array.from({ length: size }, (_, n) => ({
  id: `n${n}`,
  position: { x: Math.floor(n / across) * 312, y: (n % across) * 120 },
  data: { label: `Step ${n}: idle` },
  style: { width: 216, height: 84 },
}));
const edges = nodes.slice(across).map((node, n) => ({ id: `e${n}`, source: `n${n}`, target: node.id }));

function Plain() {
  const [shown, setShown, onNodesChange] = useNodesState(nodes);
  useEffect(() => {
    if (!rate) return;
    let at = 0;
    const timer = setInterval(() => {
      const changed = new Set(Array.from({ length: Math.ceil(rate / 60) }, () => `n${at++ % size}`));
      const status = STATUSES[at % 3];
      setShown((all) =>
        all.map((node) =>
          changed.has(node.id) ? { ...node, data: { label: `Step ${node.id}: ${status}` } } : node,
        ),
      );
    }, 1_000 / 60);
    return () => clearInterval(timer);
  }, [setShown]);
  return (
    <div style={{ width: "100vw", height: "100vh" }}>
      <ReactFlow nodes={shown} edges={edges} onNodesChange={onNodesChange} fitView minZoom={0.02}>
        <Background />
      </ReactFlow>
    </div>
  );
}

createRoot(document.getElementById("root")!).render(<Plain />);
