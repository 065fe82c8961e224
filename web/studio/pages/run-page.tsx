/** A run on the graph that it ran: nothing can be edited here. */

import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { lazy, Suspense, useCallback, useEffect, useMemo, useState } from "react";
import { Editor } from "../../canvas/editor.ts";
import { graphOf, nodeOf, titleOf } from "../../canvas/graph.ts";
import { tidied } from "../../canvas/layout.ts";
import { useLight, useRun, useRunFacts, useRunVersion } from "../../execution/react/hooks.ts";
import type { RunStore } from "../../execution/run-store.ts";
import type { WorkflowDocument } from "../../protocol/document.ts";
import { RunBadge } from "../../theme/status.tsx";
import { takeEarly } from "../early.ts";
import { useReplay } from "../replay/replay.ts";
import { FamilyMenu, RunMenu } from "../runs/menus.tsx";
import { useServices } from "../services.tsx";
import { TopBar } from "../top-bar.tsx";
import { RunActions, RunStatusLine } from "../workbench/run-actions.tsx";
import { Workbench } from "../workbench/workbench.tsx";

const ForkDialog = lazy(async () => ({ default: (await import("../runs/fork-dialog.tsx")).ForkDialog }));
const ReplayBar = lazy(async () => ({ default: (await import("../replay/replay-bar.tsx")).ReplayBar }));

export function RunPage() {
  const { executionId } = useParams({ from: "/runs/$executionId" });
  const { api } = useServices();
  const [family, setFamily] = useState(false);
  const definition = useQuery({
    queryKey: ["definition", executionId],
    queryFn: () => takeEarly(`runs/${executionId}`, () => api.definition(executionId)),
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
  return (
    <Watching
      key={executionId}
      executionId={executionId}
      document={definition.data}
      family={family}
      setFamily={setFamily}
    />
  );
}

interface WatchingProps {
  readonly executionId: string;
  readonly document: WorkflowDocument;
  /** Whether the family is open. */
  readonly family: boolean;
  setFamily(open: boolean): void;
}

function Watching({ executionId, document, family, setFamily }: WatchingProps) {
  const { runs, catalogue } = useServices();
  const { t } = useSearch({ from: "/runs/$executionId" });
  const navigate = useNavigate();
  const editor = useMemo(
    () =>
      new Editor(
        tidied(graphOf(document), (type) => catalogue.get(type)?.role === "container"),
        true,
      ),
    [document, catalogue],
  );
  const [fork, setFork] = useState<{ from: string; until: string } | null>(null);
  const [focus, setFocus] = useState("");
  const store = useRun(runs, executionId);
  const { replay, error } = useReplay(executionId, t);
  const past = useRun(runs, replay?.state.replayId ?? "");
  const light = useLight(runs, executionId);
  const stale = light !== null && light.state !== "live" && light.state !== "catching-up";
  const at = replay ? Math.round(replay.state.at - replay.state.startTime) : undefined;
  const playing = replay?.state.playing ?? false;
  const search = useCallback(
    (change: { t: number | undefined }) =>
      navigate({
        to: ".",
        replace: true,
        search: (last: Record<string, unknown>) =>
          Object.fromEntries(
            Object.entries({ ...last, ...change }).filter(([, value]) => value !== undefined),
          ),
      }),
    [navigate],
  );
  // Where it stands is in the URL, once it stands.
  useEffect(() => {
    if (at !== undefined && !playing && at !== t) void search({ t: at });
  }, [at, playing, t, search]);
  // A replay that has been moved is told of by the next frame: until then its store still is where it was.
  useRunVersion(past);
  const source =
    replay && past && past.cursor > 0
      ? { executionId, seq: past.cursor, at: replay.state.at, endTime: replay.state.endTime }
      : undefined;
  const shown = replay ? (source ? past : null) : store;
  return (
    <>
      <TopBar
        actions={
          <>
            <FamilyMenu executionId={executionId} graph={editor.graph} open={family} setOpen={setFamily} />
            {!replay && <RunActions store={store} problems={[]} />}
            {store && (
              <RunMenu
                store={store}
                workflowId={document.id}
                replaying={replay !== null}
                replay={() => void search({ t: 0 })}
              />
            )}
          </>
        }
      >
        <h1 className="min-w-0 truncate font-semibold">
          <Link to="/workflows/$workflowId" params={{ workflowId: document.id }} className="hover:underline">
            {document.name || document.id}
          </Link>
        </h1>
        {!replay && store && light && <RunStatusLine store={store} light={light} />}
        {replay && past && <PastStatus store={past} />}
      </TopBar>
      {error && (
        <p role="alert" className="border-b border-line px-4 py-2 text-error-ink">
          {error}
        </p>
      )}
      {replay && (
        <Suspense fallback={<div className="h-14 border-b border-line bg-panel" aria-busy="true" />}>
          <ReplayBar replay={replay} close={() => void search({ t: undefined })} select={setFocus} />
        </Suspense>
      )}
      <Workbench
        editor={editor}
        store={shown}
        stale={stale || (replay !== null && !playing)}
        problems={[]}
        focus={focus}
        {...(replay && source ? { source } : {})}
        {...(replay
          ? {}
          : {
              onFork: (from: string) => setFork({ from, until: "" }),
              onRunTo: (until: string) => setFork({ from: "", until }),
            })}
      />
      {fork && (
        <Suspense fallback={null}>
          <ForkDialog
            executionId={executionId}
            workflowId={document.id}
            from={fork.from}
            until={fork.until}
            title={`Run ${fork.from ? "again from" : "to"} ${titleOf(nodeOf(editor.graph, fork.from || fork.until)!)}`}
            close={() => setFork(null)}
          />
        </Suspense>
      )}
    </>
  );
}

/** How the run stood then. */
function PastStatus({ store }: { store: RunStore }) {
  const run = useRunFacts(store);
  if (!run) return null;
  return (
    <div className="flex items-center gap-3 border-l border-line pl-3" data-stale="true">
      <RunBadge status={run.status} detail={run.detail ?? ""} />
      <span className="text-muted max-sm:hidden">as it was then</span>
    </div>
  );
}
