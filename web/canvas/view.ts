/** Where the canvas is looked at from: panning and zooming to what is wanted, and which nodes are near enough to be held. */

import type { ReactFlowInstance, Viewport } from "@xyflow/react";
import { type RefObject, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useSelected } from "../execution/react/hooks.ts";
import type { CanvasProps } from "./canvas.tsx";
import { CARD_HEIGHT, CARD_WIDTH } from "./geometry.ts";
import { type Graph, indexOf } from "./graph.ts";
import { placesOf } from "./places.ts";
import type { Stage } from "./stage.ts";

/** What moves the cards; before it is there the painted layer alone is moved. */
export type Flow = Pick<ReactFlowInstance, "setViewport" | "zoomIn" | "zoomOut">;

export interface View {
  /** The ids of the nodes that are to be cards. */
  readonly held: readonly string[];
  readonly far: boolean;
  /** Somebody has been here: from then on the view is theirs. */
  readonly touched: RefObject<boolean>;
  /** The cards are there. */
  attach(flow: Flow): void;
  hover(id: string): void;
  /** The view has come to rest: see who is near. */
  settle(): void;
  fit(smooth?: boolean): void;
  lookAt(x: number, y: number, zoom?: number): void;
  /** Select, and look at it. */
  show(id: string): void;
  /** Select, and move the view only if the node is not in it. */
  step(id: string): void;
  /** The canvas has another size: what is selected stays to be seen. */
  keepInView(): void;
  zoomIn(): void;
  zoomOut(): void;
}

const MARGIN = { x: 48, y: 72 };
const MOST_ALWAYS_HELD = 50;
const NARROW = 480;
const LEGIBLE = 0.6;

export function useView(
  props: CanvasProps,
  stage: Stage | null,
  graph: Graph,
  wrapper: RefObject<HTMLElement | null>,
): View {
  const { editor, selection, catalogue, motion } = props;
  const flow = useRef<Flow | null>(null);
  const selected = useSelected(selection);
  const [near, setNear] = useState<readonly string[]>([]);
  const [far, setFar] = useState(false);
  const [hovered, hover] = useState("");
  const [attached, setAttached] = useState(false);
  const touched = useRef(false);

  const settle = useCallback(() => {
    if (!stage) return;
    stage.setGraph(editor.graph, catalogue);
    const always = selected.size <= MOST_ALWAYS_HELD ? selected : [];
    const next = stage.near(hovered ? [...always, hovered] : always);
    setNear((last) => (last.length === next.length && last.every((id, n) => id === next[n]) ? last : next));
    setFar(stage.far);
  }, [stage, editor, catalogue, selected, hovered]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new graph has other nodes near
  useEffect(settle, [settle, graph]);

  const goTo = useCallback(
    (view: Viewport, smooth = true) => {
      const calm = !smooth || matchMedia("(prefers-reduced-motion: reduce)").matches || motion === false;
      void flow.current?.setViewport(view, calm ? {} : { duration: 220 });
      if (flow.current && !calm) return;
      stage?.setView(view);
      settle();
    },
    [stage, settle, motion],
  );
  const attach = useCallback(
    (made: Flow) => {
      flow.current = made;
      if (stage) void made.setViewport(stage.view);
      setAttached(true);
    },
    [stage],
  );
  const fit = useCallback(
    (smooth = true) => {
      if (!stage) return;
      const { width, height } = stage.size;
      const { bounds } = placesOf(editor.graph, catalogue);
      if (!bounds.width || !width)
        return goTo({ x: (width - CARD_WIDTH) / 2, y: height / 2 - 80, zoom: 1 }, false);
      const [roomX, roomY] = [width - 2 * MARGIN.x, height - 2 * MARGIN.y];
      const zoom = Math.max(0.02, Math.min(1.1, roomX / bounds.width, roomY / bounds.height));
      const x = MARGIN.x + (roomX - bounds.width * zoom) / 2 - bounds.x * zoom;
      const y = MARGIN.y + (roomY - bounds.height * zoom) / 2 - bounds.y * zoom;
      goTo({ x, y, zoom }, smooth);
    },
    [stage, editor, catalogue, goTo],
  );
  /** The whole; on a phone, where its cards could not be read, its beginning. */
  const begin = useCallback(() => {
    fit(false);
    if (!stage || stage.size.width >= NARROW || stage.view.zoom >= LEGIBLE) return;
    const { bounds } = placesOf(editor.graph, catalogue);
    const middle = stage.size.height / 2 - (bounds.y + bounds.height / 2) * LEGIBLE;
    goTo({ x: 16 - bounds.x * LEGIBLE, y: middle, zoom: LEGIBLE }, false);
  }, [fit, goTo, stage, editor, catalogue]);
  const lookAt = useCallback(
    (x: number, y: number, zoom?: number) => {
      if (!stage) return;
      const { width } = stage.size;
      const height = stage.size.height - covered(wrapper.current);
      touched.current = true;
      const wanted = zoom ?? stage.view.zoom;
      goTo({ zoom: wanted, x: width / 2 - x * wanted, y: height / 2 - y * wanted }, zoom !== undefined);
    },
    [stage, goTo, wrapper],
  );
  const show = useCallback(
    (id: string) => {
      const n = indexOf(editor.graph).number.get(id);
      if (n === undefined || !stage) return;
      const { x, y, width, height } = placesOf(editor.graph, catalogue);
      selection.select(id);
      lookAt(x[n] + width[n] / 2, y[n] + Math.min(height[n], 200) / 2, Math.max(0.9, stage.view.zoom));
    },
    [editor, catalogue, selection, stage, lookAt],
  );
  const step = useCallback(
    (id: string) => {
      const n = indexOf(editor.graph).number.get(id);
      if (n === undefined || !stage) return;
      selection.select(id);
      const places = placesOf(editor.graph, catalogue);
      const { view, size } = stage;
      const [x, y] = [places.x[n] * view.zoom + view.x, places.y[n] * view.zoom + view.y];
      const inside =
        x > 8 &&
        y > 8 &&
        x + places.width[n] * view.zoom < size.width - 8 &&
        y + CARD_HEIGHT * view.zoom < size.height - covered(wrapper.current) - 8;
      if (!inside) lookAt(places.x[n] + places.width[n] / 2, places.y[n] + CARD_HEIGHT / 2, view.zoom);
    },
    [editor, catalogue, selection, stage, lookAt, wrapper],
  );
  const keepInView = useCallback(() => {
    if (!touched.current) begin();
    settle();
    if (selection.ids.size === 1) step(selection.primary);
  }, [settle, selection, step, begin]);
  const fitted = useRef<Stage | null>(null);
  useEffect(() => {
    if (!stage || fitted.current === stage) return;
    fitted.current = stage;
    begin();
  }, [stage, begin]);
  const zoomIn = useCallback(() => void flow.current?.zoomIn({ duration: 120 }), []);
  const zoomOut = useCallback(() => void flow.current?.zoomOut({ duration: 120 }), []);

  const held = attached ? near : NONE;
  return useMemo(
    () => ({
      held,
      far,
      touched,
      attach,
      hover,
      settle,
      fit,
      lookAt,
      show,
      step,
      keepInView,
      zoomIn,
      zoomOut,
    }),
    [held, far, attach, settle, fit, lookAt, show, step, keepInView, zoomIn, zoomOut],
  );
}

const NONE: readonly string[] = [];

/** Pixels of the canvas, from below, that a sheet lies over. */
function covered(canvas: HTMLElement | null): number {
  const sheet = document.querySelector("[data-sheet]");
  if (!canvas || !sheet || getComputedStyle(sheet).position !== "absolute") return 0;
  return Math.max(0, canvas.getBoundingClientRect().bottom - sheet.getBoundingClientRect().top);
}
