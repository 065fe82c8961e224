/**
 * The place of work: canvas, dock, inspector, around one graph, one run and one selection.
 *
 *   canvas    (web/canvas)      the graph, for editing and live
 *   dock      (web/timeline)    Timeline | Logs | Events of the run
 *   inspector (web/inspector)   the selected node: settings while editing, data of the run
 */

import { useNavigate, useSearch } from "@tanstack/react-router";
import { lazy, type ReactNode, Suspense, useEffect, useMemo, useState } from "react";
import { Canvas } from "../../canvas/canvas.tsx";
import type { Editor } from "../../canvas/editor.ts";
import { nodeOf } from "../../canvas/graph.ts";
import { byNode } from "../../canvas/problems.ts";
import type { CanvasHandle } from "../../canvas/surface.ts";
import type { Api } from "../../execution/api.ts";
import type { DataSource } from "../../execution/react/history.ts";
import { usePrimary } from "../../execution/react/hooks.ts";
import type { RunStore } from "../../execution/run-store.ts";
import { Selection } from "../../execution/selection.ts";
import type { Problem } from "../../protocol/document.ts";
import { useServices } from "../services.tsx";
import { Split } from "../split.tsx";
import { useCanvasCommands } from "./canvas-commands.ts";
import { Failure } from "./failure.tsx";
import { useRunTo } from "./run-to.ts";

const Inspector = lazy(async () => ({ default: (await import("../../inspector/inspector.tsx")).Inspector }));
const Trial = lazy(async () => ({ default: (await import("./trial.tsx")).Trial }));
const Dock = lazy(async () => ({ default: (await import("../../timeline/dock.tsx")).Dock }));

export interface WorkbenchProps {
  readonly editor: Editor;
  readonly store: RunStore | null;
  /** What is shown is not live: nothing may look as if it ran. */
  readonly stale: boolean;
  readonly problems: readonly Problem[];
  readonly banner?: ReactNode;
  /** Where the data is, if not where the store's run is: of a replay. */
  readonly source?: DataSource;
  readonly onFork?: (nodeId: string) => void;
  /** Run what leads to a node, and the node, and nothing beyond. */
  readonly onRunTo?: (nodeId: string) => void;
  /** A node to select whenever this changes. */
  readonly focus?: string;
}

export function Workbench(props: WorkbenchProps) {
  const { editor, store, stale, problems, banner, source, onFork, onRunTo, focus } = props;
  const services = useServices();
  const selection = useUrlSelection(editor);
  const primary = usePrimary(selection);
  useEffect(() => {
    if (focus) selection.select(focus);
  }, [focus, selection]);
  const [handle, setHandle] = useState<CanvasHandle | null>(null);
  // On a phone a sheet comes over the canvas, and leaves it its size.
  useEffect(() => {
    if (primary && matchMedia("(width < 640px)").matches) requestAnimationFrame(() => handle?.keepInView());
  }, [primary, handle]);
  const [tried, setTried] = useState("");
  useCanvasCommands(editor, store, handle, services);
  useRunTo(editor, selection, onRunTo);
  const marked = useMemo(() => byNode(problems), [problems]);
  const canvas = (
    <>
      {banner}
      {store && !source && <Failure store={store} canvas={handle} />}
      <Canvas
        editor={editor}
        store={store}
        stale={stale}
        selection={selection}
        problems={marked}
        refresh={services.config.ui.refreshInterval}
        skew={services.runs.connection.skew}
        {...(source ? { instant: source.at } : {})}
        motion={services.config.ui.animationEnabled}
        catalogue={services.catalogue}
        onReady={setHandle}
        onOpen={openInspector}
        onRunNode={setTried}
        {...(onRunTo ? { onRunTo } : {})}
        {...(store && !editor.readOnly
          ? { onPin: (id: string) => void pin(services.api, editor, store, id) }
          : {})}
      />
      {tried && (
        <Suspense fallback={null}>
          <Trial editor={editor} nodeId={tried} store={store} onClose={() => setTried("")} />
        </Suspense>
      )}
    </>
  );
  // The canvas stays the same one whatever opens and closes around it.
  const dock = store && (
    <Suspense key="dock" fallback={<div className="flex-1 bg-panel" aria-busy="true" />}>
      <Dock
        editor={editor}
        catalogue={services.catalogue}
        store={store}
        selection={selection}
        stale={stale}
        api={services.api}
        pace={services.config.ui.refreshInterval}
        skew={services.runs.connection.skew}
        {...(source ? { source } : {})}
      />
    </Suspense>
  );
  const inspector = primary ? (
    <Suspense key="inspector" fallback={<div className="flex-1 bg-panel" aria-busy="true" />}>
      <Inspector
        editor={editor}
        store={store}
        selection={selection}
        problems={problems}
        stale={stale}
        api={services.api}
        catalogue={services.catalogue}
        pace={services.config.ui.refreshInterval}
        skew={services.runs.connection.skew}
        {...(source ? { source } : {})}
        {...(onFork ? { onFork } : {})}
        {...(onRunTo ? { onRunTo } : {})}
      />
    </Suspense>
  ) : null;
  return (
    <main className="flex min-h-0 flex-1" data-stale={stale}>
      <Split
        orientation="vertical"
        sheet
        label="Width of the inspector"
        name="inspector"
        initial={340}
        least={260}
        most={720}
      >
        {[
          <Split
            key="left"
            orientation="horizontal"
            label="Height of the dock"
            name="dock"
            initial={230}
            least={120}
            most={640}
          >
            {[canvas, dock]}
          </Split>,
          inspector,
        ]}
      </Split>
    </main>
  );
}

/** The node answers with what it gave in this run, and by the same handle, in every manual run from now on, until it is unpinned. */
async function pin(api: Api, editor: Editor, store: RunStore, nodeId: string): Promise<void> {
  const output = await api.nodePayload(store.executionId, nodeId, "output");
  const handle = store.row(nodeId)?.handle ?? "output";
  editor.setData(
    nodeId,
    { pinned: { output, ...(handle === "output" ? {} : { handle }) } },
    "pin the output",
  );
}

/** The keys go to the inspector: it is there already, because the node is selected. */
function openInspector(): void {
  document
    .querySelector<HTMLElement>("[aria-label=Inspector] :is(input, textarea, button, [tabindex='0'])")
    ?.focus();
}

/** The selection, with the primary node in the URL, so that a link shows what its sender saw. */
function useUrlSelection(editor: Editor): Selection {
  const navigate = useNavigate();
  const { node = "" } = useSearch({ strict: false });
  const [selection] = useState(() => {
    const made = new Selection();
    if (nodeOf(editor.graph, node)) made.select(node);
    return made;
  });
  useEffect(
    () =>
      selection.subscribe(() => {
        const primary = selection.primary;
        void navigate({
          to: ".",
          replace: true,
          search: ({ node: _, ...rest }: Record<string, unknown>) =>
            primary ? { ...rest, node: primary } : rest,
        });
      }),
    [selection, navigate],
  );
  return selection;
}
