/** One node, run on its own: with the input it had in the run that is shown, or any other. */

import { useEffect, useState } from "react";
import type { Editor } from "../../canvas/editor.ts";
import { nodeOf, titleOf } from "../../canvas/graph.ts";
import type { RunStore } from "../../execution/run-store.ts";
import type { Json } from "../../protocol/document.ts";
import { duration } from "../../theme/format.ts";
import { Dialog } from "../dialog.tsx";
import { useServices } from "../services.tsx";

interface TrialProps {
  readonly editor: Editor;
  readonly nodeId: string;
  readonly store: RunStore | null;
  readonly onClose: () => void;
}

type Result = { success: boolean; output: Json; error?: string; executionTime: number };

export function Trial({ editor, nodeId, store, onClose }: TrialProps) {
  const { api } = useServices();
  const node = nodeOf(editor.graph, nodeId);
  const [typed, setTyped] = useState<string | null>(null);
  const [given, setGiven] = useState("{}");
  const input = typed ?? given; // what comes late never replaces what somebody has written
  const [result, setResult] = useState<Result | null>(null);
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const executionId = store?.row(nodeId)?.startTime ? store.executionId : "";
  useEffect(() => {
    if (!executionId) return;
    let wanted = true;
    api.nodePayload(executionId, nodeId, "input").then(
      (value) => wanted && setGiven(JSON.stringify(value, null, 2)),
      () => {}, // it had none that is kept: the empty one stands
    );
    return () => {
      wanted = false;
    };
  }, [api, executionId, nodeId]);
  if (!node) return null;
  const run = async () => {
    setProblem("");
    setResult(null);
    let value: Json;
    try {
      value = JSON.parse(input) as Json;
    } catch (error) {
      return setProblem(`The input is not JSON: ${error instanceof Error ? error.message : error}`);
    }
    setBusy(true);
    try {
      setResult(
        await api.tryNode(node.id, node.data.type, node.data.config ?? {}, value, editor.graph.rest.id),
      );
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
    setBusy(false);
  };
  return (
    <Dialog title={`Run only “${titleOf(node)}”`} onClose={onClose}>
      <div className="min-h-0 overflow-y-auto p-4">
        <p className="mb-3 text-muted">
          It runs with its settings as they are, outside of any run: nothing is kept.{" "}
          {executionId && "The input is that of the run that is shown."}
        </p>
        <label htmlFor="trial-input" className="mb-1 block font-medium">
          Input
        </label>
        <textarea
          id="trial-input"
          className="rev-input h-36 resize-y py-2 font-mono text-xs"
          spellCheck={false}
          value={input}
          onChange={(event) => setTyped(event.target.value)}
        />
        <div className="my-3 flex items-center gap-3">
          <button
            type="button"
            className="rev-button rev-button-primary"
            onClick={() => void run()}
            disabled={busy}
          >
            {busy ? "Running…" : "Run node"}
          </button>
          {result && (
            <span className={result.success ? "text-success-ink" : "text-error-ink"}>
              {result.success ? "Succeeded" : "Failed"} in {duration(result.executionTime)}
            </span>
          )}
        </div>
        {problem && (
          <p role="alert" className="whitespace-pre-wrap text-error-ink">
            {problem}
          </p>
        )}
        {result?.error && (
          <p role="alert" className="whitespace-pre-wrap text-error-ink">
            {result.error}
          </p>
        )}
        {result?.success && (
          <section aria-label="Output">
            <pre className="max-h-72 overflow-auto rounded-lg border border-line bg-sunken p-3 font-mono text-xs">
              {JSON.stringify(result.output, null, 2)}
            </pre>
          </section>
        )}
      </div>
    </Dialog>
  );
}
