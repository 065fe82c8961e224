/** Somebody's own application: it starts a workflow through its backend, and shows it running. */

import RealtimeExecutionVisualizer, { useExecution, useNodeStatusStore } from "@flowscope/react";
import "@flowscope/react/realtime-visualizer.css";
import { useState, version } from "react";
import { createRoot } from "react-dom/client";

const BACKEND = new URLSearchParams(location.search).get("flowscope") ?? "http://127.0.0.1:3001";
const STEPS = ["start", "check", "pack", "send"];

/** Our backend has the key; the browser gets a ticket that is good once, for half a minute. */
async function getTicket(): Promise<string> {
  const answer = await fetch("/ticket", { method: "POST" });
  return (await answer.json()).ticket;
}

function App() {
  const [executionId, setExecutionId] = useState<string | null>(null);
  const [updates, setUpdates] = useState<string[]>([]);
  const start = async () => {
    useNodeStatusStore.getState().reset();
    setUpdates([]);
    const answer = await fetch("/orders", { method: "POST" });
    setExecutionId((await answer.json()).executionId);
  };
  return (
    <main style={{ maxWidth: 900, margin: "24px auto", fontFamily: "system-ui" }}>
      <h1>Orders</h1>
      <p>
        <button type="button" onClick={start}>
          Send an order
        </button>{" "}
        React {version}
      </p>
      <div style={{ display: "flex", gap: 12, margin: "16px 0" }}>
        {STEPS.map((id) => (
          <OwnNode key={id} id={id} />
        ))}
      </div>
      {executionId && (
        <RealtimeExecutionVisualizer
          executionId={executionId}
          backendUrl={BACKEND}
          getTicket={getTicket}
          onNodeUpdate={(nodeId, status) => setUpdates((all) => [...all, `${nodeId} ${status}`])}
        >
          <Footer />
        </RealtimeExecutionVisualizer>
      )}
      <ul id="updates">
        {updates.map((line, n) => (
          <li key={n}>{line}</li>
        ))}
      </ul>
    </main>
  );
}

/** A node of our own canvas, in the classes of the visualizer's stylesheet. */
function OwnNode({ id }: { id: string }) {
  const status = useNodeStatusStore((store) => store.statuses[id] ?? "idle");
  return (
    <div
      className={`workflow-node node-status-${status}`}
      style={{ borderWidth: 2, borderStyle: "solid", borderRadius: 8, padding: "8px 16px" }}
    >
      {id}
    </div>
  );
}

function Footer() {
  const execution = useExecution();
  return <p style={{ margin: "8px 14px" }}>{execution?.status === "success" ? "The order is on its way." : "…"}</p>;
}

const root = document.createElement("div");
document.body.append(root);
createRoot(root).render(<App />);
