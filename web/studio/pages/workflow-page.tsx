/** A workflow: edited, run, and watched, on one canvas. */

import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { lazy, Suspense, useCallback, useEffect, useMemo, useState } from "react";
import { Editor } from "../../canvas/editor.ts";
import { graphOf } from "../../canvas/graph.ts";
import { tidied } from "../../canvas/layout.ts";
import type { StoredWorkflow } from "../../execution/api.ts";
import { useLight, useRun } from "../../execution/react/hooks.ts";
import type { Json } from "../../protocol/document.ts";
import { takeEarly } from "../early.ts";
import type { WorkbenchSearch } from "../router.tsx";
import { RunMenu } from "../runs/menus.tsx";
import { useServices } from "../services.tsx";
import { TopBar } from "../top-bar.tsx";
import { SaveState, useDraft } from "../workbench/draft.tsx";
import { RunActions, RunStatusLine } from "../workbench/run-actions.tsx";
import { triggersOf, wantsInput } from "../workbench/start.ts";
import { Workbench } from "../workbench/workbench.tsx";
import { WorkflowName } from "../workbench/workflow-name.tsx";

const StartDialog = lazy(() => import("../workbench/start-dialog.tsx"));

export function WorkflowPage() {
  const { workflowId } = useParams({ from: "/workflows/$workflowId" });
  const { api } = useServices();
  const stored = useQuery({
    queryKey: ["workflow", workflowId],
    queryFn: () => takeEarly(`workflows/${workflowId}`, () => api.workflow(workflowId)),
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
  const { run: shown = "", ask: asking = false } = useSearch({ from: "/workflows/$workflowId" });
  const editor = useMemo(
    () => new Editor(tidied(graphOf(stored), (type) => catalogue.get(type)?.role === "container")),
    [stored, catalogue],
  );
  const draft = useDraft(editor, stored);
  const store = useRun(runs, shown);
  const light = useLight(runs, shown);
  const stale = light !== null && light.state !== "live" && light.state !== "catching-up";
  const show = useCallback(
    (executionId: string) =>
      navigate({ to: ".", search: (last: Record<string, unknown>) => ({ ...last, run: executionId }) }),
    [navigate],
  );
  const start = useCallback(
    async (more: { trigger?: string; until?: string; input?: Json } = {}) => {
      const { input = {}, ...how } = more;
      const version = await draft.saved();
      const { executionId } = await api.start(stored.id, input, { version, ...how });
      await show(executionId);
    },
    [api, draft, stored.id, show],
  );
  const setAsking = useCallback(
    (ask: boolean) =>
      void navigate({
        to: ".",
        search: ({ ask: _, ...last }: WorkbenchSearch) => (ask ? { ...last, ask } : last),
        replace: true,
      }),
    [navigate],
  );
  const ask = useCallback(() => setAsking(true), [setAsking]);
  const run = useCallback(async () => {
    if (wantsInput(triggersOf(editor.graph, catalogue)[0])) ask();
    else await start();
  }, [editor, catalogue, start, ask]);
  const [refused, setRefused] = useState("");
  const runTo = useCallback(
    async (until: string) => {
      setRefused("");
      try {
        // What is tried step by step gets the same input every time.
        await start({ until, ...(shown ? { input: await api.runInput(shown) } : {}) });
      } catch (error) {
        setRefused((error as Error).message);
      }
    },
    [api, start, shown],
  );
  useEffect(() => {
    document.title = `${stored.name || stored.id} · flowscope`;
  }, [stored]);
  return (
    <>
      <TopBar
        actions={
          <>
            <RunActions store={store} start={run} ask={ask} problems={draft.problems} />
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
      {asking && (
        <Suspense>
          <StartDialog
            editor={editor}
            start={(trigger, input) => start({ trigger, input })}
            onClose={() => setAsking(false)}
          />
        </Suspense>
      )}
      <Workbench
        editor={editor}
        store={store}
        stale={stale}
        problems={draft.problems}
        onRunTo={(id) => void runTo(id)}
      />
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
