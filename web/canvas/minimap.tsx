/** The whole in small, with the statuses as heat; press or drag to go there. */

import { type PointerEvent, useEffect, useMemo, useRef } from "react";
import type { RunStore } from "../execution/run-store.ts";
import { IDLE } from "../execution/status.ts";
import type { Graph } from "./graph.ts";
import { type Colours, coloursOf } from "./palette-colours.ts";
import { type Catalogue, type Places, placesOf } from "./places.ts";
import type { Stage } from "./stage.ts";

const WIDTH = 184;
const HEIGHT = 112;
const EVERY = 250;
/** So few need no map. */
const FEW = 6;

interface MinimapProps {
  readonly stage: Stage;
  readonly graph: Graph;
  readonly catalogue: Catalogue;
  readonly store: RunStore | null;
  readonly onLook: (x: number, y: number) => void;
}

interface Fit {
  readonly scale: number;
  readonly x: number;
  readonly y: number;
}

export function Minimap(props: MinimapProps) {
  return props.graph.nodes.length < FEW ? null : <Whole {...props} />;
}

function Whole({ stage, graph, catalogue, store, onLook }: MinimapProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const frame = useRef<HTMLDivElement>(null);
  const places = placesOf(graph, catalogue);
  const fit = useMemo(() => fitOf(places), [places]);

  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    const ratio = Math.min(2, devicePixelRatio);
    element.width = WIDTH * ratio;
    element.height = HEIGHT * ratio;
    let colours = coloursOf(element);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const draw = () => {
      timer = undefined;
      drawMap(element.getContext("2d")!, ratio, fit, graph, places, store, colours);
    };
    const soon = () => {
      timer ??= setTimeout(draw, EVERY);
    };
    draw();
    const release = store?.subscribeDirty(soon);
    const themes = new MutationObserver(() => {
      colours = coloursOf(element);
      draw();
    });
    themes.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    return () => {
      clearTimeout(timer);
      release?.();
      themes.disconnect();
    };
  }, [graph, places, fit, store]);

  useEffect(
    () =>
      stage.onView(() => {
        if (!frame.current) return;
        const { view, size } = stage;
        const [x, y] = [-view.x / view.zoom, -view.y / view.zoom];
        const left = Math.max(0, (x - fit.x) * fit.scale);
        const top = Math.max(0, (y - fit.y) * fit.scale);
        const right = Math.min(WIDTH, (x + size.width / view.zoom - fit.x) * fit.scale);
        const bottom = Math.min(HEIGHT, (y + size.height / view.zoom - fit.y) * fit.scale);
        const { style } = frame.current;
        style.transform = `translate(${left}px, ${top}px)`;
        style.width = `${Math.max(6, right - left)}px`;
        style.height = `${Math.max(6, bottom - top)}px`;
      }),
    [stage, fit],
  );

  const go = (event: PointerEvent<HTMLDivElement>) => {
    const box = event.currentTarget.getBoundingClientRect();
    onLook((event.clientX - box.left) / fit.scale + fit.x, (event.clientY - box.top) / fit.scale + fit.y);
  };
  return (
    <div
      className="rev-minimap"
      aria-hidden
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        go(event);
      }}
      onPointerMove={(event) => event.buttons && go(event)}
    >
      <canvas ref={canvas} />
      <div ref={frame} className="rev-minimap-frame" />
    </div>
  );
}

function fitOf(places: Places): Fit {
  const { bounds } = places;
  const scale = Math.min(
    (WIDTH - 12) / Math.max(1, bounds.width),
    (HEIGHT - 12) / Math.max(1, bounds.height),
    0.12,
  );
  return {
    scale,
    x: bounds.x - (WIDTH / scale - bounds.width) / 2,
    y: bounds.y - (HEIGHT / scale - bounds.height) / 2,
  };
}

function drawMap(
  context: CanvasRenderingContext2D,
  ratio: number,
  fit: Fit,
  graph: Graph,
  places: Places,
  store: RunStore | null,
  colours: Colours,
): void {
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, WIDTH, HEIGHT);
  const least = graph.nodes.length > 500 ? 1 : 2;
  for (const n of places.order) {
    const m = store
      ? store.ids[n] === graph.nodes[n].id
        ? n
        : store.numbers.get(graph.nodes[n].id)
      : undefined;
    const code = m === undefined || !store ? IDLE : store.codes[m];
    context.fillStyle = places.container[n]
      ? colours.line
      : code === IDLE
        ? colours.lineStrong
        : colours.fills[code];
    context.fillRect(
      (places.x[n] - fit.x) * fit.scale,
      (places.y[n] - fit.y) * fit.scale,
      Math.max(least, places.width[n] * fit.scale),
      Math.max(least, places.height[n] * fit.scale),
    );
  }
}
