/**
 * The graph, for editing and live. React Flow holds the nodes that are near and can be touched; the layer below paints the
 * rest, all edges, and everything when there is much of it (see `stage.ts`). No status ever passes through React Flow.
 */

import "./canvas.css";
import { lazy, Suspense, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { useSelected } from "../execution/react/hooks.ts";
import type { RunStore } from "../execution/run-store.ts";
import type { Selection } from "../execution/selection.ts";
import { STATUSES } from "../execution/status.ts";
import type { NodeType, Problem } from "../protocol/document.ts";
import { Announcer } from "./announcer.tsx";
import type { CardNode } from "./cards.tsx";
import { Connector } from "./connector.tsx";
import { CanvasProvider } from "./context.ts";
import { CountsStrip } from "./counts-strip.tsx";
import type { Editor } from "./editor.ts";
import { indexOf } from "./graph.ts";
import { KeyHints } from "./key-hints.tsx";
import { Minimap } from "./minimap.tsx";
import { NodeMenu } from "./node-menu.tsx";
import { placesOf } from "./places.ts";
import { Stage } from "./stage.ts";
import { type CanvasHandle, useSurface } from "./surface.ts";
import { Toolbar } from "./toolbar.tsx";

export interface CanvasProps {
  readonly editor: Editor;
  readonly store: RunStore | null;
  /** What is shown is not live: nothing may look as if it ran. */
  readonly stale: boolean;
  readonly selection: Selection;
  /** By node id. */
  readonly problems: ReadonlyMap<string, readonly Problem[]>;
  readonly catalogue: ReadonlyMap<string, NodeType>;
  /** Milliseconds between two looks at a clock, and the server's time less ours. */
  readonly refresh?: number;
  readonly skew?: number;
  /** The instant that is shown, where it is not now; epoch milliseconds. */
  readonly instant?: number;
  /** Whether things may move at all. */
  readonly motion?: boolean;
  readonly onRunNode?: (nodeId: string) => void;
  readonly onRunTo?: (nodeId: string) => void;
  /** Take a node's output of the run that is shown, and keep it instead of running the node. */
  readonly onPin?: (nodeId: string) => void;
  /** Called with what can be done from outside: look at a node, fit all, tidy. */
  readonly onReady?: (handle: CanvasHandle | null) => void;
  /** A node was opened: by Enter, or a double click. */
  readonly onOpen?: (nodeId: string) => void;
}

// Asked for at once: whoever sees the graph is soon to touch it.
const cards = import("./cards.tsx");
const palette = import("./palette.tsx");
const Cards = lazy(async () => ({ default: (await cards).Cards }));
const Palette = lazy(async () => ({ default: (await palette).Palette }));
const Outline = lazy(async () => ({ default: (await import("./outline.tsx")).Outline }));

export function Canvas(props: CanvasProps) {
  const {
    editor,
    store,
    stale,
    selection,
    problems,
    catalogue,
    refresh = 1_000,
    skew = 0,
    instant = 0,
    motion = true,
  } = props;
  const graph = useSyncExternalStore(editor.subscribe, () => editor.graph);
  const selected = useSelected(selection);
  const wrapper = useRef<HTMLElement>(null);
  const layer = useRef<HTMLCanvasElement>(null);
  const [stage, setStage] = useState<Stage | null>(null);
  const surface = useSurface(props, stage, wrapper);
  const { view, drag, filter } = surface;
  const { held, far } = view;
  const keepInView = useRef(view.keepInView);
  keepInView.current = view.keepInView;

  useEffect(() => {
    const made = new Stage(layer.current!, editor.graph, catalogue);
    const box = wrapper.current!;
    const measure = () => {
      made.setSize(box.clientWidth, box.clientHeight, devicePixelRatio);
      keepInView.current();
    };
    measure();
    const sizes = new ResizeObserver(measure);
    sizes.observe(box);
    const themes = new MutationObserver(() => made.recolour());
    themes.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    setStage(made);
    return () => {
      sizes.disconnect();
      themes.disconnect();
      made.stop();
      setStage(null);
    };
  }, [editor, catalogue]);
  useEffect(() => stage?.setGraph(graph, catalogue), [stage, graph, catalogue]);
  useEffect(() => stage?.setStore(store), [stage, store]);
  useEffect(() => stage?.setHeld(held), [stage, held]);
  useEffect(
    () => stage?.setSelection(selected, surface.selectedEdge),
    [stage, selected, surface.selectedEdge],
  );
  useEffect(() => stage?.setFilter(filter), [stage, filter]);
  useEffect(() => stage?.setMotion(motion && !stale && !reduced()), [stage, motion, stale]);

  const nodes = useMemo(() => {
    const { number } = indexOf(graph);
    const places = placesOf(graph, catalogue);
    return held.flatMap((id): CardNode[] => {
      const n = number.get(id);
      if (n === undefined) return [];
      const container = places.container[n] === 1;
      const shifted = drag?.ids.has(id);
      return [
        {
          id,
          type: "card",
          data: {},
          position: { x: places.x[n] + (shifted ? drag!.x : 0), y: places.y[n] + (shifted ? drag!.y : 0) },
          width: places.width[n],
          height: places.height[n],
          measured: { width: places.width[n], height: places.height[n] },
          zIndex: container ? places.depth[n] : 100 + places.depth[n],
          // The body of a container lets through what is meant for the ground below it.
          style: container ? { pointerEvents: "none" } : {},
        },
      ];
    });
  }, [graph, catalogue, held, drag]);

  const context = useMemo(
    () => ({
      editor,
      store,
      selection,
      catalogue,
      stale,
      refresh,
      skew,
      instant,
      problems,
      onRunNode: props.onRunNode ?? null,
      onAddAfter: surface.addAfter,
    }),
    [
      editor,
      store,
      selection,
      catalogue,
      stale,
      refresh,
      skew,
      instant,
      problems,
      props.onRunNode,
      surface.addAfter,
    ],
  );

  return (
    <CanvasProvider value={context}>
      <section
        ref={wrapper}
        className={`rev-canvas ${[...(filter ?? [])].map((code) => `rev-lit-${STATUSES[code]}`).join(" ")}`}
        aria-label="Workflow graph. Arrow keys go along the connections, Enter opens a node, question mark tells all keys."
        tabIndex={0}
        data-far={far}
        data-stale={stale}
        data-filtered={filter !== null}
        data-motion={motion ? "on" : "off"}
        {...surface.events}
      >
        <canvas ref={layer} className="rev-layer" aria-hidden />
        {stage && (
          <Suspense fallback={null}>
            <Cards nodes={nodes} readOnly={editor.readOnly} events={surface.flow} onReady={view.attach} />
          </Suspense>
        )}
        {surface.marquee && (
          <div
            className="rev-marquee"
            style={{
              left: surface.marquee.x,
              top: surface.marquee.y,
              width: surface.marquee.width,
              height: surface.marquee.height,
            }}
          />
        )}
        <CountsStrip store={store} filter={filter} onFilter={surface.setFilter} />
        <Toolbar surface={surface} editor={editor} />
        {stage && (
          <Minimap stage={stage} graph={graph} catalogue={catalogue} store={store} onLook={view.lookAt} />
        )}
        {graph.nodes.length === 0 && !editor.readOnly && !surface.palette && (
          <EmptyCanvas onAdd={surface.openPalette} />
        )}
        {surface.palette && (
          <Suspense fallback={null}>
            <Palette
              catalogue={catalogue}
              onAdd={surface.addFromPalette}
              onClose={surface.closePalette}
              after={surface.palette.title}
            />
          </Suspense>
        )}
        {surface.menu && (
          <NodeMenu
            x={surface.menu.x}
            y={surface.menu.y}
            title="Node"
            entries={surface.menuEntries()}
            onClose={surface.closeMenu}
          />
        )}
        {surface.outline && (
          <Suspense fallback={null}>
            <Outline graph={graph} onShow={view.show} onClose={surface.toggleOutline} />
          </Suspense>
        )}
        <Announcer graph={graph} />
        {surface.connecting && (
          <Connector graph={graph} from={surface.connecting} onChoose={surface.connectTo} />
        )}
        {surface.hints && <KeyHints readOnly={editor.readOnly} onClose={() => surface.setHints(false)} />}
        {surface.notice && (
          <p role="alert" className="rev-notice">
            {surface.notice}
          </p>
        )}
      </section>
    </CanvasProvider>
  );
}

function EmptyCanvas({ onAdd }: { onAdd: () => void }) {
  return (
    <div className="rev-empty">
      <p className="rev-empty-title">Add the first node</p>
      <p>
        Most workflows begin with a trigger. Drag from a node’s right edge to add what comes next; Run shows
        it live.
      </p>
      <button type="button" className="rev-button rev-button-primary" onClick={onAdd}>
        Choose a node <kbd className="rev-key">N</kbd>
      </button>
    </div>
  );
}

function reduced(): boolean {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
