/** A new run from an old one: what would be kept, what would run, and what would act outside once more; then it starts. */

import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import type { Json } from "../../protocol/document.ts";
import { useServices } from "../services.tsx";

interface Plan {
  readonly nodes: readonly { readonly nodeId: string; readonly fate: string }[];
  readonly confirm: readonly { readonly nodeId: string; readonly nodeName?: string }[];
}

/** Empty `from`: where it failed. */
export function ForkDialog({
  executionId,
  from,
  title,
  close,
}: {
  executionId: string;
  from: string;
  title: string;
  close: () => void;
}) {
  const { api } = useServices();
  const navigate = useNavigate();
  const dialog = useRef<HTMLDialogElement>(null);
  const [input, setInput] = useState<string | null>(null);
  const [agreed, setAgreed] = useState(false);
  const [error, setError] = useState("");
  const path = `/api/executions/${encodeURIComponent(executionId)}/${from ? "fork" : "retry"}`;
  const plan = useQuery({
    queryKey: ["fork-plan", executionId, from],
    queryFn: () => api.send<Plan>("POST", `${path}?dryRun=true`, from ? { from } : {}),
    retry: false,
    gcTime: 0,
  });
  const given = useQuery({
    queryKey: ["fork-input", executionId, from],
    queryFn: () => api.nodePayload(executionId, from, "input"),
    enabled: from !== "",
    retry: false,
    gcTime: 0,
  });
  useEffect(() => dialog.current?.showModal(), []);
  const count = (fate: string) => plan.data?.nodes.filter((node) => node.fate === fate).length ?? 0;
  const confirm = plan.data?.confirm ?? [];
  const written = given.data === undefined ? "" : JSON.stringify(given.data, null, 2);
  const start = async () => {
    setError("");
    try {
      const changed = input !== null && input !== written;
      const body = {
        ...(from ? { from } : {}),
        ...(changed ? { input: JSON.parse(input) as Json } : {}),
        ...(agreed ? { confirm: true } : {}),
      };
      const made = await api.send<{ executionId: string }>("POST", path, body);
      close();
      await navigate({ to: "/runs/$executionId", params: { executionId: made.executionId } });
    } catch (failed) {
      setError(
        failed instanceof SyntaxError ? `The input is no JSON: ${failed.message}` : (failed as Error).message,
      );
    }
  };
  return (
    <dialog ref={dialog} className="rev-dialog w-[min(560px,92vw)] p-5" aria-label={title} onClose={close}>
      <h2 className="mb-2 text-base font-semibold">{title}</h2>
      {plan.error && (
        <p role="alert" className="text-error-ink">
          {plan.error.message}
        </p>
      )}
      {plan.data && (
        <p className="mb-3 text-muted">
          A new run. {count("kept") + count("partly")} nodes are kept as they were, {count("again")} run
          again, {count("first")} for the first time.
        </p>
      )}
      {from !== "" && (
        <label className="mb-3 block space-y-1 text-xs font-medium">
          Its input, as JSON
          <textarea
            className="rev-input font-mono text-xs"
            style={{ height: 180, resize: "vertical", padding: "6px 9px" }}
            spellCheck={false}
            value={input ?? written}
            onChange={(event) => setInput(event.target.value)}
          />
        </label>
      )}
      {confirm.length > 0 && (
        <label className="mb-3 flex gap-2 rounded-lg border border-skipped-ink/50 p-2.5">
          <input
            type="checkbox"
            className="mt-0.5 size-4"
            checked={agreed}
            onChange={(event) => setAgreed(event.target.checked)}
          />
          <span>
            These may act outside once more:{" "}
            <b>{confirm.map((one) => one.nodeName ?? one.nodeId).join(", ")}</b>. Let them.
          </span>
        </label>
      )}
      {error && (
        <p role="alert" className="mb-3 text-error-ink">
          {error}
        </p>
      )}
      <div className="flex justify-end gap-2">
        <button type="button" className="rev-button" onClick={() => dialog.current?.close()}>
          Leave it
        </button>
        <button
          type="button"
          className="rev-button rev-button-primary"
          disabled={!plan.data || (confirm.length > 0 && !agreed)}
          onClick={() => void start()}
        >
          Start
        </button>
      </div>
    </dialog>
  );
}
