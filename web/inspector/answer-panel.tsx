/** A node that waits for somebody, in the inspector: the question and its answer, and how that ended. */

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useScope } from "../execution/react/scope.ts";
import type { NodeRow, RunStore } from "../execution/run-store.ts";
import { WAITING } from "../execution/status.ts";
import { Answer } from "./answers/answer.tsx";
import { ASKS, keyOf, type Outcome, waitingOf } from "./answers/waiting.ts";
import type { NodePanelProps } from "./inspector.tsx";

export function AnswerPanel({
  api,
  node,
  row,
  store,
  source,
}: NodePanelProps & { row: NodeRow; store: RunStore }) {
  const asks = row.code === WAITING && !source && (row.detail === "waiting" || row.detail === "asking");
  const { mayEdit } = useScope(api);
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const waiting = useQuery({
    queryKey: ["waiting", store.executionId, node.id, row.timestamp],
    queryFn: () => waitingOf(api, { executionId: store.executionId, limit: 500 }),
    enabled: asks,
    retry: false,
  });
  const own = asks ? (waiting.data?.waiting.filter((one) => one.nodeId === node.id) ?? []) : [];
  return (
    <>
      {outcome && (
        <p role="status" className={`mt-2 text-xs ${outcome.late ? "text-skipped-ink" : "text-muted"}`}>
          {outcome.said}
        </p>
      )}
      {own.map((one) => (
        <section
          key={keyOf(one)}
          aria-label="Waits for an answer"
          className="mt-2 space-y-2 rounded-lg border border-waiting-ink/50 p-2.5"
        >
          <p className="font-medium">{one.title || ASKS[one.kind]}</p>
          {one.message && <p className="text-xs whitespace-pre-wrap text-muted">{one.message}</p>}
          {mayEdit ? (
            <Answer api={api} waiting={one} open onAnswered={setOutcome} />
          ) : (
            <p className="text-xs text-muted">Your key is there to look: an editor's answers.</p>
          )}
        </section>
      ))}
    </>
  );
}
