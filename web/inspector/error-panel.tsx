/** What went wrong, in the words of the error, with what else it told. */

import { nodeOf, titleOf } from "../canvas/graph.ts";
import type { RunHistory } from "../execution/run-history.ts";
import { errorOf } from "./attempts.ts";
import type { NodePanelProps } from "./inspector.tsx";
import { CopyButton } from "./json-view.tsx";

interface ErrorPanelProps extends NodePanelProps {
  readonly history: RunHistory | null;
  readonly version: number;
  readonly path: string;
}

export function ErrorPanel({ node, row, graph, selection, history, path }: ErrorPanelProps) {
  const error = history ? errorOf(history, node.id, path) : null;
  const message = error?.message || row?.error || "";
  if (!message) return <p className="text-muted">It has no error.</p>;
  const cause = error && error.nodeId !== node.id ? nodeOf(graph, error.nodeId) : undefined;
  return (
    <div className="space-y-3">
      <p role="alert" className="text-[13px] font-medium break-words whitespace-pre-wrap text-error-ink">
        {error?.type && !["NodeError", "Error"].includes(error.type) ? `${error.type}: ` : ""}
        {message}
      </p>
      {(error?.code || error?.place) && (
        <dl className="grid grid-cols-[auto_1fr] gap-x-3 gap-y-1 text-xs">
          {error.code && (
            <>
              <dt className="text-muted">Code</dt>
              <dd className="font-mono break-all">{error.code}</dd>
            </>
          )}
          {error.place && (
            <>
              <dt className="text-muted">Setting</dt>
              <dd className="font-mono break-all">{error.place}</dd>
            </>
          )}
        </dl>
      )}
      {cause && (
        <p className="text-xs">
          It comes from{" "}
          <button type="button" className="text-accent underline" onClick={() => selection.select(cause.id)}>
            {titleOf(cause)}
          </button>
          .
        </p>
      )}
      {error?.detail && (
        <pre
          tabIndex={0}
          className="max-h-96 overflow-auto rounded-lg border border-line bg-sunken p-2.5 font-mono text-xs whitespace-pre"
        >
          {error.detail}
        </pre>
      )}
      <CopyButton text={() => [message, error?.detail].filter(Boolean).join("\n\n")} label="Copy the error" />
    </div>
  );
}
