/** A node that waits for somebody: approve or reject, fill its form, send its signal, say what becomes of a lost attempt. */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Check, ExternalLink, X } from "lucide-react";
import { useId, useState } from "react";
import type { Api } from "../execution/api.ts";
import type { NodeRow, RunStore } from "../execution/run-store.ts";
import { WAITING } from "../execution/status.ts";
import type { Json } from "../protocol/document.ts";
import type { NodePanelProps } from "./inspector.tsx";

interface Waiting {
  readonly executionId: string;
  readonly nodeId: string;
  readonly path?: string;
  readonly kind: "approval" | "form" | "signal" | "ask";
  readonly approvalId?: string;
  readonly title?: string;
  readonly message?: string;
  readonly formUrl?: string;
  readonly signal?: string;
}

export function AnswerPanel({
  api,
  node,
  row,
  store,
  source,
}: NodePanelProps & { row: NodeRow; store: RunStore }) {
  const asks = row.code === WAITING && !source && (row.detail === "waiting" || row.detail === "asking");
  const waiting = useQuery({
    queryKey: ["waiting", store.executionId, node.id, row.timestamp],
    queryFn: () => waitingAt(api, store, node.id),
    enabled: asks,
    retry: false,
  });
  if (!asks || !waiting.data) return null;
  return waiting.data.map((one) => (
    <Answer key={`${one.path}/${one.approvalId ?? one.signal}`} api={api} waiting={one} />
  ));
}

async function waitingAt(api: Api, store: RunStore, nodeId: string): Promise<Waiting[]> {
  const found = await api.get<{ waiting: Waiting[] }>(
    `/api/waiting?limit=500&workflowId=${encodeURIComponent(store.workflowId)}`,
  );
  return found.waiting.filter((one) => one.executionId === store.executionId && one.nodeId === nodeId);
}

function Answer({ api, waiting }: { api: Api; waiting: Waiting }) {
  const queries = useQueryClient();
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const [text, setText] = useState("");
  const field = useId();
  const send = async (work: () => Promise<unknown>) => {
    setBusy(true);
    setError("");
    try {
      await work();
      await queries.invalidateQueries({ queryKey: ["waiting"] });
    } catch (failed) {
      setError(failed instanceof Error ? failed.message : String(failed));
    }
    setBusy(false);
  };
  const decide = (decision: "approved" | "rejected") =>
    send(() =>
      api.send(
        "POST",
        `/api/executions/${encodeURIComponent(waiting.executionId)}/approvals/${encodeURIComponent(waiting.approvalId!)}`,
        { decision, ...(text ? { comment: text } : {}) },
      ),
    );
  const signal = (payload: Json) => send(() => api.signal(waiting.executionId, waiting.signal!, payload));
  return (
    <section
      aria-label="Waits for an answer"
      className="mt-2 space-y-2 rounded-lg border border-waiting-ink/50 p-2.5"
    >
      <p className="font-medium">{waiting.title || HEADINGS[waiting.kind]}</p>
      {waiting.message && <p className="text-xs whitespace-pre-wrap text-muted">{waiting.message}</p>}
      {waiting.kind === "approval" && (
        <>
          <label htmlFor={field} className="block text-xs text-muted">
            Comment
          </label>
          <input
            id={field}
            className="rev-input"
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
          <div className="flex gap-2">
            <button
              type="button"
              className="rev-button rev-button-primary"
              disabled={busy}
              onClick={() => void decide("approved")}
            >
              <Check size={14} aria-hidden /> Approve
            </button>
            <button
              type="button"
              className="rev-button rev-button-danger"
              disabled={busy}
              onClick={() => void decide("rejected")}
            >
              <X size={14} aria-hidden /> Reject
            </button>
          </div>
        </>
      )}
      {waiting.kind === "form" && waiting.formUrl && /^(https?:|\/)/.test(waiting.formUrl) && (
        <a className="rev-button rev-button-primary" href={waiting.formUrl} target="_blank" rel="noopener">
          <ExternalLink size={14} aria-hidden /> Fill in the form
        </a>
      )}
      {waiting.kind === "ask" && (
        <div className="flex gap-2">
          <button
            type="button"
            className="rev-button rev-button-primary"
            disabled={busy}
            onClick={() => void signal("rerun")}
          >
            Run it again
          </button>
          <button
            type="button"
            className="rev-button rev-button-danger"
            disabled={busy}
            onClick={() => void signal("fail")}
          >
            Let it fail
          </button>
        </div>
      )}
      {waiting.kind === "signal" && (
        <>
          <label htmlFor={field} className="block text-xs text-muted">
            What the signal {waiting.signal} brings, as JSON
          </label>
          <input
            id={field}
            className="rev-input font-mono"
            placeholder="{}"
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
          <button
            type="button"
            className="rev-button rev-button-primary"
            disabled={busy}
            onClick={() =>
              void send(async () =>
                api.signal(waiting.executionId, waiting.signal!, JSON.parse(text || "{}") as Json),
              )
            }
          >
            Send the signal
          </button>
        </>
      )}
      {error && (
        <p role="alert" className="text-xs text-error-ink">
          {error}
        </p>
      )}
    </section>
  );
}

const HEADINGS: Record<Waiting["kind"], string> = {
  approval: "Waits for an approval",
  form: "Waits for a form",
  signal: "Waits for a signal",
  ask: "Its last attempt was lost: what it did outside is not known",
};
