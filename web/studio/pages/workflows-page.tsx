/** The workflows: the list, a new one, import by drop, and what to do when there are none yet. */

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { FilePlus2, FolderInput, Play, Plus, Trash2 } from "lucide-react";
import { type DragEvent, lazy, Suspense, useCallback, useRef, useState } from "react";
import { graphOf } from "../../canvas/graph.ts";
import type { WorkflowRow } from "../../execution/api.ts";
import type { Json, WorkflowDocument } from "../../protocol/document.ts";
import { ago, count, duration } from "../../theme/format.ts";
import { RunBadge } from "../../theme/status.tsx";
import { useCommands } from "../commands.ts";
import { EXAMPLES, type Example } from "../examples.ts";
import { useServices } from "../services.tsx";
import { TopBar } from "../top-bar.tsx";
import { triggersOf, wantsInput } from "../workbench/start.ts";

const Sketch = lazy(() => import("./sketch.tsx"));

export function WorkflowsPage() {
  const { api, config } = useServices();
  const [search, setSearch] = useState("");
  const list = useQuery({
    queryKey: ["workflows", search],
    queryFn: () => api.workflows(search),
    placeholderData: (last) => last,
    refetchInterval: Math.max(config.ui.refreshInterval, 1_000),
  });
  const work = useLibrary();
  const [over, setOver] = useState(false);
  useCommands(
    useCallback(
      () => [
        {
          id: "new",
          title: "New workflow",
          group: "Workflows",
          words: "create add",
          run: () => work.create(),
        },
      ],
      [work],
    ),
  );
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    void work.importFiles([...event.dataTransfer.files]);
  };
  const rows = list.data?.workflows;
  return (
    <>
      <TopBar
        actions={
          <>
            <ImportButton onFiles={work.importFiles} />
            <button type="button" className="rev-button rev-button-primary" onClick={() => work.create()}>
              <Plus size={15} aria-hidden /> New
            </button>
          </>
        }
      >
        <h1 className="font-semibold">Workflows</h1>
      </TopBar>
      <main
        className="relative min-h-0 flex-1 overflow-auto"
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={(event) => event.currentTarget === event.target && setOver(false)}
        onDrop={drop}
      >
        <div className="mx-auto max-w-5xl p-6">
          {work.error && (
            <p
              role="alert"
              className="mb-4 rounded-lg border border-error-ink/40 bg-panel p-3 text-error-ink"
            >
              {work.error}
            </p>
          )}
          {list.error && (
            <p role="alert" className="text-error-ink">
              {list.error.message}
            </p>
          )}
          {rows && (rows.length > 0 || search !== "") && (
            <>
              <input
                type="search"
                className="rev-input mb-4 max-w-xs"
                placeholder="Find by name"
                aria-label="Find workflows by name"
                value={search}
                onChange={(event) => setSearch(event.target.value)}
              />
              <WorkflowList rows={rows} start={work.start} remove={work.remove} />
            </>
          )}
          {rows?.length === 0 && search === "" && <FirstSteps create={work.create} />}
          {rows && (
            <section aria-labelledby="examples" className="mt-10">
              <h2 id="examples" className="mb-3 font-semibold text-muted">
                Start from an example
              </h2>
              <div className="grid grid-cols-[repeat(auto-fill,minmax(240px,1fr))] gap-3">
                {EXAMPLES.map((example) => (
                  <ExampleCard key={example.id} example={example} open={work.openExample} />
                ))}
              </div>
            </section>
          )}
        </div>
        {over && (
          <div className="pointer-events-none absolute inset-3 grid place-items-center rounded-2xl border-2 border-dashed border-accent-fill bg-accent-soft/80 text-base font-semibold text-accent">
            Drop workflow JSON here to import it
          </div>
        )}
      </main>
    </>
  );
}

function FirstSteps({ create }: { create: () => void }) {
  return (
    <section className="rounded-2xl border border-line bg-panel p-8">
      <h2 className="mb-3 text-lg font-semibold">Build something that runs</h2>
      <ol className="mb-6 max-w-2xl list-decimal space-y-1.5 pl-5 text-[14px] text-muted marker:text-faint">
        <li>
          A workflow is a graph: each node does one thing, and gives what it made to the nodes after it.
        </li>
        <li>Press Run and watch every node start, wait, retry and end, live, for everybody who looks.</li>
        <li>What has succeeded is kept: after a crash or a restart the run goes on where it was.</li>
      </ol>
      <button type="button" className="rev-button rev-button-primary" onClick={create}>
        <FilePlus2 size={15} aria-hidden /> New workflow
      </button>
      <span className="ml-3 text-muted">
        or take an example below, or drop a JSON file anywhere on this page.
      </span>
    </section>
  );
}

function WorkflowList({
  rows,
  start,
  remove,
}: {
  rows: readonly WorkflowRow[];
  start: (row: WorkflowRow) => void;
  remove: (row: WorkflowRow) => void;
}) {
  return (
    <ul className="overflow-hidden rounded-xl border border-line bg-panel">
      {rows.map((row) => (
        <li
          key={row.id}
          className="relative flex items-center gap-4 border-line px-4 py-3 not-first:border-t hover:bg-hover"
        >
          <Suspense fallback={<div className="flowscope-sketch" />}>
            <Sketch row={row} />
          </Suspense>
          <div className="min-w-0 flex-1">
            <Link
              to="/workflows/$workflowId"
              params={{ workflowId: row.id }}
              className="block truncate font-medium after:absolute after:inset-0"
            >
              {row.name || row.id}
            </Link>
            <span className="text-muted">
              {count(row.nodes, "node")} · changed {ago(row.updatedAt)}
            </span>
            <span className="block text-muted empty:hidden">
              <State row={row} />
              {row.active && "Its triggers start runs"}
            </span>
          </div>
          <div className="w-36 max-sm:hidden">
            <LastRun run={row.lastRun} />
          </div>
          <button
            type="button"
            className="rev-button relative"
            aria-label={`Run ${row.name || row.id}`}
            title={row.valid ? undefined : "It has problems that must be mended first"}
            disabled={!row.valid}
            onClick={() => start(row)}
          >
            <Play size={14} aria-hidden /> <span className="max-sm:hidden">Run</span>
          </button>
          <button
            type="button"
            className="rev-button rev-button-quiet rev-button-icon rev-button-danger relative text-faint"
            aria-label={`Delete ${row.name || row.id}`}
            onClick={() => remove(row)}
          >
            <Trash2 size={15} aria-hidden />
          </button>
        </li>
      ))}
      {rows.length === 0 && <li className="p-6 text-center text-muted">No workflow has that name</li>}
    </ul>
  );
}

function State({ row }: { row: WorkflowRow }) {
  if (!row.valid) return <span className="text-skipped-ink">Draft with problems</span>;
  if (row.activeVersion === null) return <span>Draft</span>;
  if (row.activeVersion !== row.version) return <span>Version {row.activeVersion} is live</span>;
  return null;
}

/** How its last run stands; the way to it. */
function LastRun({ run }: { run: WorkflowRow["lastRun"] }) {
  if (!run) return <span className="text-muted">No runs yet</span>;
  const ended = run.durationMs !== undefined;
  return (
    <Link
      to="/runs/$executionId"
      params={{ executionId: run.executionId }}
      className="relative block rounded-md px-2 py-1 -mx-2 hover:bg-sunken"
    >
      <RunBadge status={run.status} detail={run.detail} />
      <span className="block text-muted">
        {ago(run.startedAt)}
        {ended && ` · ${duration(run.durationMs!)}`}
      </span>
    </Link>
  );
}

function ExampleCard({ example, open }: { example: Example; open: (example: Example) => void }) {
  return (
    <button
      type="button"
      onClick={() => open(example)}
      className="rounded-xl border border-line bg-panel p-4 text-left hover:border-line-strong hover:bg-hover"
    >
      <span className="mb-1 block font-medium">{example.name}</span>
      <span className="block text-muted">{example.teaches}</span>
    </button>
  );
}

function ImportButton({ onFiles }: { onFiles: (files: File[]) => void }) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <button type="button" className="rev-button" onClick={() => input.current?.click()}>
        <FolderInput size={15} aria-hidden /> <span className="max-sm:hidden">Import</span>
      </button>
      <input
        ref={input}
        type="file"
        accept=".json,application/json"
        multiple
        hidden
        aria-label="Import workflow files"
        onChange={(event) => {
          onFiles([...(event.target.files ?? [])]);
          event.target.value = "";
        }}
      />
    </>
  );
}

/** What can be done with the library, and what went wrong last. */
function useLibrary() {
  const { api, catalogue } = useServices();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [error, setError] = useState("");
  const open = useCallback(
    (workflowId: string) => navigate({ to: "/workflows/$workflowId", params: { workflowId } }),
    [navigate],
  );
  const mutation = useMutation({
    mutationFn: (act: () => Promise<string | null>) => act(),
    onMutate: () => setError(""),
    onError: (failed) => setError(failed.message),
    onSuccess: (workflowId) => {
      void queries.invalidateQueries({ queryKey: ["workflows"] });
      if (workflowId) void open(workflowId);
    },
  });
  const act = mutation.mutate;
  const create = useCallback(
    () => act(async () => (await api.create({ name: "Untitled workflow", nodes: [], edges: [] })).id),
    [act, api],
  );
  const importFiles = useCallback(
    (files: File[]) =>
      act(async () => {
        const made: string[] = [];
        for (const file of files) made.push(...(await importText(await file.text(), file.name)));
        return made.length === 1 ? made[0] : null;
        async function importText(text: string, name: string): Promise<string[]> {
          let value: Json;
          try {
            value = JSON.parse(text) as Json;
          } catch {
            throw new Error(`${name} is not JSON`);
          }
          return (await api.import(value)).workflows.map((workflow) => workflow.id);
        }
      }),
    [act, api],
  );
  const openExample = useCallback(
    (example: Example) =>
      act(async () => {
        const document: WorkflowDocument = await example.load();
        return (await api.import(document as unknown as Json)).workflows[0].id;
      }),
    [act, api],
  );
  const start = useCallback(
    (row: WorkflowRow) =>
      act(async () => {
        const graph = graphOf(await api.workflow(row.id));
        if (wantsInput(triggersOf(graph, catalogue)[0])) {
          void navigate({
            to: "/workflows/$workflowId",
            params: { workflowId: row.id },
            search: { ask: true },
          });
          return null;
        }
        const { executionId } = await api.start(row.id, {});
        void navigate({ to: "/runs/$executionId", params: { executionId } });
        return null;
      }),
    [act, api, catalogue, navigate],
  );
  const remove = useCallback(
    (row: WorkflowRow) => {
      if (!confirm(`Delete ${row.name || row.id} and its versions? Its runs stay.`)) return;
      act(async () => {
        await api.remove(row.id);
        return null;
      });
    },
    [act, api],
  );
  return { error, create, importFiles, openExample, start, remove };
}
