/** Why? A node says why it is as it is; a click goes to the node that it names. */

import { useQuery } from "@tanstack/react-query";
import { CircleHelp } from "lucide-react";
import { useRunFacts, useRunVersion } from "../execution/react/hooks.ts";
import type { RunHistory } from "../execution/run-history.ts";
import type { NodeRow, RunStore } from "../execution/run-store.ts";
import { SUCCESS } from "../execution/status.ts";
import type { NodePanelProps } from "./inspector.tsx";
import { cellOf } from "./json-rows.ts";
import { type Reason, valuesIn, whyOf } from "./why.ts";

interface WhyPanelProps extends NodePanelProps {
  readonly row: NodeRow;
  readonly store: RunStore;
  readonly history: RunHistory;
  readonly version: number;
  readonly now: number;
}

export function WhyPanel(props: WhyPanelProps) {
  const { graph, store, history, row, now, selection } = props;
  const run = useRunFacts(store);
  useRunVersion(store);
  const reasons = whyOf(row, { graph, store, history, run, now });
  if (!reasons.length) return null;
  return (
    // What went well needs no explanation on top; it is there for who asks.
    <details
      className="mt-2 rounded-lg border border-line bg-sunken px-2.5 py-1.5 text-xs"
      open={row.code !== SUCCESS}
    >
      <summary className="flex cursor-pointer list-none items-center gap-1.5 font-medium text-muted">
        <CircleHelp size={13} aria-hidden /> Why?
      </summary>
      <ul className="mt-1 space-y-1">
        {reasons.map((reason) => (
          <li key={reason.text} className="break-words">
            {reason.nodeId ? (
              <button
                type="button"
                className="text-left hover:underline"
                onClick={() => selection.select(reason.nodeId!)}
              >
                {reason.text}
              </button>
            ) : (
              reason.text
            )}
            {reason.condition && props.node.parentId === undefined && (
              <Condition {...props} reason={reason} />
            )}
          </li>
        ))}
      </ul>
    </details>
  );
}

/** The condition that decided, and what its names stood for. */
function Condition({ api, store, source, reason }: WhyPanelProps & { reason: Reason }) {
  const from = source ?? { executionId: store.executionId, seq: 0 };
  const path = api.payloadPath(from.executionId, reason.nodeId!, "input", "", from.seq);
  const input = useQuery({
    queryKey: ["payload", path, "condition"],
    queryFn: () => api.payload(path, 512 * 1024),
    retry: false,
    staleTime: Number.POSITIVE_INFINITY,
  });
  const values = input.data?.whole ? valuesIn(reason.condition!, input.data.value) : [];
  return (
    <div className="mt-1 rounded border border-line bg-panel px-2 py-1 font-mono">
      <div>{reason.condition}</div>
      {values.map(({ name, value }) => (
        <div key={name} className="text-muted">
          {name} ={" "}
          <span className="text-text">
            {typeof value === "string" ? JSON.stringify(value) : cellOf(value)}
          </span>
        </div>
      ))}
    </div>
  );
}
