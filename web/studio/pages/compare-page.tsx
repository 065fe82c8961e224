/** Two runs on one graph: where their statuses, durations and outputs part ways. */

import { useQuery } from "@tanstack/react-query";
import { Link, useSearch } from "@tanstack/react-router";
import { ArrowLeftRight } from "lucide-react";
import { useEffect, useMemo, useState } from "react";
import { Canvas } from "../../canvas/canvas.tsx";
import { Editor } from "../../canvas/editor.ts";
import { graphOf } from "../../canvas/graph.ts";
import { tidied } from "../../canvas/layout.ts";
import type { Api, Execution, ExecutionNode } from "../../execution/api.ts";
import { usePrimary, useRun } from "../../execution/react/hooks.ts";
import { Selection } from "../../execution/selection.ts";
import { codeOf } from "../../execution/status.ts";
import { ago, duration } from "../../theme/format.ts";
import { NodeBadge, RunBadge } from "../../theme/status.tsx";
import { differencesOf, type NodeDifference } from "../runs/comparison.ts";
import { useServices } from "../services.tsx";
import { Split } from "../split.tsx";
import { TopBar } from "../top-bar.tsx";

export function ComparePage() {
  const { a, b } = useSearch({ from: "/runs/compare" });
  const { api } = useServices();
  const both = useQuery({
    queryKey: ["compare", a, b],
    queryFn: async () => {
      const [one, other, document] = await Promise.all([
        api.execution(a),
        api.execution(b),
        api.definition(b),
      ]);
      return { one, other, document };
    },
    retry: false,
  });
  if (both.error)
    return (
      <>
        <TopBar>
          <h1 className="font-semibold">Compare</h1>
        </TopBar>
        <main className="grid flex-1 place-items-center text-muted">
          <p role="alert">{both.error.message}</p>
        </main>
      </>
    );
  if (!both.data) return <div className="flex-1" aria-busy="true" />;
  return <Comparison key={`${a}/${b}`} {...both.data} />;
}

interface ComparisonProps {
  readonly one: Execution;
  readonly other: Execution;
  readonly document: Awaited<ReturnType<Api["definition"]>>;
}

const NO_PROBLEMS = new Map<string, never>();

function Comparison({ one, other, document: workflow }: ComparisonProps) {
  const { runs, catalogue, config } = useServices();
  const editor = useMemo(
    () =>
      new Editor(
        tidied(graphOf(workflow), (type) => catalogue.get(type)?.role === "container"),
        true,
      ),
    [workflow, catalogue],
  );
  const [selection] = useState(() => new Selection());
  const [side, setSide] = useState<"a" | "b">("b");
  const store = useRun(runs, side === "a" ? one.executionId : other.executionId);
  const rows = useMemo(() => differencesOf(one, other), [one, other]);
  const first = useFirstDifference(one, other, rows);
  useEffect(() => {
    document.title = "Compare runs · flowscope";
  }, []);
  return (
    <>
      <TopBar>
        <h1 className="truncate font-semibold">{workflow.name || workflow.id}</h1>
        <span className="text-muted max-sm:hidden">two runs</span>
      </TopBar>
      <main className="flex min-h-0 flex-1 flex-col">
        <div className="flex flex-wrap items-stretch gap-2 border-b border-line bg-panel p-2">
          <Side name="A" run={one} shown={side === "a"} show={() => setSide("a")} />
          <ArrowLeftRight size={16} aria-hidden className="self-center text-faint" />
          <Side name="B" run={other} shown={side === "b"} show={() => setSide("b")} />
          <p className="min-w-52 flex-1 self-center text-right" role="status">
            {first === undefined ? (
              <span className="text-faint">Looking for the first difference…</span>
            ) : first === null ? (
              "No difference in statuses and outputs"
            ) : (
              <>
                First difference:{" "}
                <button
                  type="button"
                  className="text-accent underline"
                  onClick={() => selection.select(first.nodeId)}
                >
                  {first.name}
                </button>{" "}
                <span className="text-muted">({first.what})</span>
              </>
            )}
          </p>
        </div>
        <Split
          orientation="vertical"
          label="Width of the differences"
          name="compare"
          initial={520}
          least={280}
          most={900}
        >
          {[
            <Canvas
              key="canvas"
              editor={editor}
              store={store}
              stale={false}
              selection={selection}
              problems={NO_PROBLEMS}
              catalogue={catalogue}
              motion={config.ui.animationEnabled}
            />,
            <Differences key="differences" rows={rows} selection={selection} first={first?.nodeId ?? ""} />,
          ]}
        </Split>
      </main>
    </>
  );
}

function Side({
  name,
  run,
  shown,
  show,
}: {
  name: string;
  run: Execution;
  shown: boolean;
  show: () => void;
}) {
  return (
    <div
      className={`flex items-center gap-2 rounded-lg border px-2 py-1 ${shown ? "border-accent" : "border-line"}`}
    >
      <button
        type="button"
        className="rev-button rev-button-small"
        aria-pressed={shown}
        title={`Show run ${name} on the graph`}
        onClick={show}
      >
        {name}
      </button>
      <RunBadge status={run.status} detail={run.detail ?? ""} />
      <span className="text-muted">{run.durationMs === undefined ? "" : duration(run.durationMs)}</span>
      <Link
        to="/runs/$executionId"
        params={{ executionId: run.executionId }}
        className="text-muted hover:underline"
      >
        {ago(run.startedAt)}
      </Link>
    </div>
  );
}

function Differences({
  rows,
  selection,
  first,
}: {
  rows: readonly NodeDifference[];
  selection: Selection;
  first: string;
}) {
  const primary = usePrimary(selection);
  const [all, setAll] = useState(false);
  const different = rows.filter(
    (row) => !row.sameStatus || Math.abs(row.longer ?? 0) >= 50 || row.nodeId === first,
  );
  const shown = (all ? rows : different).slice(0, 500);
  const longest = Math.max(1, ...rows.map((row) => Math.abs(row.longer ?? 0)));
  return (
    <section aria-label="Differences" className="flex min-h-0 flex-1 flex-col bg-panel">
      <div className="flex items-center gap-2 border-b border-line px-3 py-1.5">
        <p className="flex-1 text-muted">
          {different.length} of {rows.length} nodes differ
        </p>
        <button
          type="button"
          className="rev-button rev-button-small"
          aria-pressed={all}
          onClick={() => setAll(!all)}
        >
          All nodes
        </button>
      </div>
      <section className="min-h-0 flex-1 overflow-auto" tabIndex={0} aria-label="Nodes">
        <table className="w-full text-xs">
          <thead className="text-left text-faint">
            <tr>
              <th className="sticky top-0 bg-panel p-2 pl-3 font-medium">Node</th>
              <th className="sticky top-0 bg-panel p-2 font-medium">A</th>
              <th className="sticky top-0 bg-panel p-2 font-medium">B</th>
              <th className="sticky top-0 bg-panel p-2 pr-3 text-right font-medium">B less A</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((row) => (
              <tr
                key={row.nodeId}
                className={`border-t border-line hover:bg-hover ${row.nodeId === primary ? "bg-accent-soft" : ""}`}
              >
                <td className="max-w-40 truncate p-2 pl-3">
                  <button
                    type="button"
                    className="font-medium hover:underline"
                    onClick={() => selection.select(row.nodeId)}
                  >
                    {row.name}
                  </button>
                  {row.nodeId === first && <span className="block text-accent">first difference</span>}
                </td>
                <td className="p-2">
                  <Cell node={row.a} />
                </td>
                <td className={`p-2 ${row.sameStatus ? "" : "font-semibold"}`}>
                  <Cell node={row.b} />
                </td>
                <td className="p-2 pr-3 text-right text-muted">
                  {row.longer === null ? "" : delta(row.longer)}
                  {row.longer !== null && (
                    <i
                      className="mt-0.5 ml-auto block h-1 rounded bg-line-strong"
                      style={{ width: `${(Math.abs(row.longer) / longest) * 64}px` }}
                    />
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </section>
  );
}

function Cell({ node }: { node: ExecutionNode | undefined }) {
  if (!node) return <span className="text-faint">not there</span>;
  return (
    <>
      <NodeBadge of={{ code: codeOf(node.status, node.detail ?? ""), detail: node.detail ?? "" }} />
      {node.durationMs !== undefined && <span className="block text-muted">{duration(node.durationMs)}</span>}
    </>
  );
}

function delta(milliseconds: number): string {
  if (Math.abs(milliseconds) < 1) return "same";
  return `${milliseconds > 0 ? "+" : "−"}${duration(Math.abs(milliseconds))}`;
}

interface First {
  readonly nodeId: string;
  readonly name: string;
  readonly what: string;
}

/** Outputs that are looked at; the statuses of all nodes are. */
const MOST_OUTPUTS = 60;
const LARGEST = 256 * 1024;

/** The first node, in the order of starts, that ended otherwise or gave something else. Undefined while it is looked for. */
function useFirstDifference(
  a: Execution,
  b: Execution,
  rows: readonly NodeDifference[],
): First | null | undefined {
  const { api } = useServices();
  const found = useQuery({
    queryKey: ["first-difference", a.executionId, a.seq, b.executionId, b.seq],
    queryFn: async (): Promise<First | null> => {
      const apart = rows.findIndex((row) => !row.sameStatus);
      const until = apart < 0 ? rows.length : apart;
      for (const row of rows.slice(0, Math.min(until, MOST_OUTPUTS))) {
        if (row.a?.status !== "success" || row.a.parentId !== undefined) continue;
        const [one, other] = await Promise.all(
          [a, b].map((run) =>
            api.payload(api.payloadPath(run.executionId, row.nodeId, "output"), LARGEST).catch(() => null),
          ),
        );
        if (one && other && JSON.stringify(one) !== JSON.stringify(other))
          return { nodeId: row.nodeId, name: row.name, what: "another output" };
      }
      const row = rows[apart];
      return row
        ? {
            nodeId: row.nodeId,
            name: row.name,
            what: `${row.a?.status ?? "not there"}, then ${row.b?.status ?? "not there"}`,
          }
        : null;
    },
    retry: false,
    staleTime: Number.POSITIVE_INFINITY,
  });
  return found.data;
}
