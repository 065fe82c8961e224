/** A run on the graph that it ran: nothing can be edited here. */

import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useMemo } from "react";
import { Editor } from "../../canvas/editor.ts";
import { graphOf } from "../../canvas/graph.ts";
import { tidied } from "../../canvas/layout.ts";
import { useLight, useRun } from "../../execution/react/hooks.ts";
import type { WorkflowDocument } from "../../protocol/document.ts";
import { useServices } from "../services.tsx";
import { TopBar } from "../top-bar.tsx";
import { RunActions, RunStatusLine } from "../workbench/run-actions.tsx";
import { Workbench } from "../workbench/workbench.tsx";

export function RunPage() {
  const { executionId } = useParams({ from: "/runs/$executionId" });
  const { api } = useServices();
  const definition = useQuery({
    queryKey: ["definition", executionId],
    queryFn: () => api.definition(executionId),
    staleTime: Number.POSITIVE_INFINITY,
  });
  if (definition.error) {
    return (
      <>
        <TopBar>
          <h1 className="font-semibold">Run</h1>
        </TopBar>
        <main className="grid flex-1 place-items-center text-muted">{definition.error.message}</main>
      </>
    );
  }
  if (!definition.data) return <div className="flex-1" aria-busy="true" />;
  return <Watching key={executionId} executionId={executionId} document={definition.data} />;
}

function Watching({ executionId, document }: { executionId: string; document: WorkflowDocument }) {
  const { runs, catalogue } = useServices();
  const editor = useMemo(
    () =>
      new Editor(
        tidied(graphOf(document), (type) => catalogue.get(type)?.role === "container"),
        true,
      ),
    [document, catalogue],
  );
  const store = useRun(runs, executionId);
  const light = useLight(runs, executionId);
  const stale = light !== null && light.state !== "live" && light.state !== "catching-up";
  return (
    <>
      <TopBar actions={<RunActions store={store} problems={[]} />}>
        <h1 className="min-w-0 truncate font-semibold">
          <Link to="/workflows/$workflowId" params={{ workflowId: document.id }} className="hover:underline">
            {document.name || document.id}
          </Link>
        </h1>
        {store && light && <RunStatusLine store={store} light={light} />}
      </TopBar>
      <Workbench editor={editor} store={store} stale={stale} problems={[]} />
    </>
  );
}
