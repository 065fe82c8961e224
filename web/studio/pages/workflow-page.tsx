/** A workflow: edited, run, and watched, on one canvas. */

import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useCallback, useEffect, useMemo, useState } from "react";
import { Editor } from "../../canvas/editor.ts";
import { graphOf } from "../../canvas/graph.ts";
import { tidied } from "../../canvas/layout.ts";
import type { StoredWorkflow } from "../../execution/api.ts";
import { useLight, useRun } from "../../execution/react/hooks.ts";
import { takeEarly } from "../early.ts";
import { RunMenu } from "../runs/run-menu.tsx";
import { useServices } from "../services.tsx";
import { TopBar } from "../top-bar.tsx";
import { SaveState, useDraft } from "../workbench/draft.tsx";
import { RunActions, RunStatusLine } from "../workbench/run-actions.tsx";
import { Workbench } from "../workbench/workbench.tsx";
import { WorkflowName } from "../workbench/workflow-name.tsx";

export function WorkflowPage() {
  const { workflowId } = useParams({ from: "/workflows/$workflowId" });
  const { api } = useServices();
  const stored = useQuery({
    queryKey: ["workflow", workflowId],
    queryFn: () => takeEarly(workflowId) ?? api.workflow(workflowId),
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
  });
  if (stored.error) return <Missing message={stored.error.message} />;
  if (!stored.data) return <div className="flex-1" aria-busy="true" />;
  return <Editing key={workflowId} stored={stored.data} />;
}

function Editing({ stored }: { stored: StoredWorkflow }) {
  const { api, runs, catalogue } = useServices();
  const navigate = useNavigate();
  const { run = "" } = useSearch({ from: "/workflows/$workflowId" });
  const editor = useMemo(
    () => new Editor(tidied(graphOf(stored), (type) => catalogue.get(type)?.role === "container")),
    [stored, catalogue],
  );
  const draft = useDraft(editor, stored);
  const store = useRun(runs, run);
  const light = useLight(runs, run);
  const stale = light !== null && light.state !== "live" && light.state !== "catching-up";
  const show = useCallback(
    (executionId: string) =>
      navigate({ to: ".", search: (last: Record<string, unknown>) => ({ ...last, run: executionId }) }),
    [navigate],
  );
  const start = useCallback(
    async (trigger?: string, until?: string) => {
      const version = await draft.saved();
      const more = { version, ...(trigger ? { trigger } : {}), ...(until ? { until } : {}) };
      const { executionId } = await api.start(stored.id, {}, more);
      await show(executionId);
    },
    [api, draft, stored.id, show],
  );
  const [refused, setRefused] = useState("");
  const runTo = useCallback(
    (until: string) => {
      setRefused("");
      start(undefined, until).catch((error: Error) => setRefused(error.message));
    },
    [start],
  );
  useEffect(() => {
    document.title = `${stored.name || stored.id} · flowscope`;
  }, [stored]);
  return (
    <>
      <TopBar
        actions={
          <>
            <RunActions store={store} start={start} problems={draft.problems} />
            {store && (
              <RunMenu
                store={store}
                workflowId={stored.id}
                replaying={false}
                replay={() =>
                  void navigate({
                    to: "/runs/$executionId",
                    params: { executionId: store.executionId },
                    search: { t: 0 },
                  })
                }
              />
            )}
          </>
        }
      >
        <WorkflowName editor={editor} />
        <SaveState editor={editor} draft={draft} />
        {store && light && <RunStatusLine store={store} light={light} />}
      </TopBar>
      {refused && (
        <p role="alert" className="border-b border-line px-4 py-2 text-error-ink">
          {refused}
        </p>
      )}
      <Workbench editor={editor} store={store} stale={stale} problems={draft.problems} onRunTo={runTo} />
    </>
  );
}

function Missing({ message }: { message: string }) {
  return (
    <>
      <TopBar>
        <h1 className="font-semibold">No such workflow</h1>
      </TopBar>
      <main className="grid flex-1 place-items-center text-center">
        <p className="text-muted">
          {message}.{" "}
          <Link to="/workflows" className="text-accent underline">
            See all workflows
          </Link>
        </p>
      </main>
    </>
  );
}
