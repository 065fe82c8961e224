/**
 * The Canvas2D layer: everything that React Flow does not hold.
 *
 *   zoom >= 0.45   bodies, edges, and the cards that are in view but not (yet) in React Flow, looking like them
 *   zoom <  0.45   all cards, with their titles while they can be read
 *   zoom <  0.18   all cards as plain blocks of their status
 *
 * One colour is one path is one fill: a graph of 5,000 nodes costs a few dozen calls. While the view stands still, what
 * changed is painted over what was there, node by node, and nothing else.
 */

import type { RunStore } from "../execution/run-store.ts";
import { ERROR, IDLE, RUNNING, SKIPPED, STATUSES, WAITING } from "../execution/status.ts";
import { duration } from "../theme/format.ts";
import { nodeWords } from "../theme/node-words.ts";
import { bendOf, type Edges, edgeState, FLOWS, NOT_TAKEN, RESTS, TAKEN } from "./edges.ts";
import type { Box } from "./geometry.ts";
import { type Graph, titleOf } from "./graph.ts";
import type { Colours } from "./palette-colours.ts";
import type { Catalogue, Places } from "./places.ts";
import { summaryOf } from "./summary.ts";

export const NEAR_ZOOM = 0.45;
export const FAR_ZOOM = 0.18;

export interface View {
  readonly x: number;
  readonly y: number;
  readonly zoom: number;
}

/** All that a picture is made of. `shift` moves the nodes of `moving` while they are dragged. */
export interface Scene {
  readonly graph: Graph;
  readonly places: Places;
  readonly edges: Edges;
  readonly catalogue: Catalogue;
  readonly store: RunStore | null;
  readonly colours: Colours;
  readonly view: View;
  readonly width: number;
  readonly height: number;
  readonly ratio: number;
  /** Nodes that React Flow shows. */
  readonly held: ReadonlySet<number>;
  readonly selected: ReadonlySet<string>;
  readonly selectedEdge: string;
  /** Statuses that are in the light; the others are dimmed. Null: all. */
  readonly filter: ReadonlySet<number> | null;
  readonly moving: ReadonlySet<number> | null;
  readonly shift: { readonly x: number; readonly y: number };
  /** Where the dashes of flowing edges are, in pixels; null: nothing moves. */
  readonly flow: number | null;
}

export interface Painted {
  /** Edges in view that flow: whether another frame is worth it. */
  readonly flowing: number;
}

export function paint(context: CanvasRenderingContext2D, scene: Scene): Painted {
  const { view, width, height, ratio } = scene;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  dots(context, scene);
  context.setTransform(ratio * view.zoom, 0, 0, ratio * view.zoom, ratio * view.x, ratio * view.y);
  const seen = inView(scene);
  const nodes = scene.places.within(seen);
  bodies(context, scene, nodes);
  const flowing = edges(context, scene, seen);
  cards(context, scene, nodes);
  return { flowing };
}

/** Paint only these nodes again, in a picture that is otherwise as it was; false if that cannot be done. */
export function repaint(context: CanvasRenderingContext2D, scene: Scene, dirty: readonly number[]): boolean {
  if (scene.view.zoom >= NEAR_ZOOM || scene.selected.size > 0 || scene.filter) return false;
  const { view, ratio } = scene;
  context.setTransform(ratio * view.zoom, 0, 0, ratio * view.zoom, ratio * view.x, ratio * view.y);
  const seen = inView(scene);
  const { places } = scene;
  const nodes = dirty.filter(
    (n) =>
      !places.container[n] &&
      places.x[n] < seen.x + seen.width &&
      places.x[n] + places.width[n] > seen.x &&
      places.y[n] < seen.y + seen.height &&
      places.y[n] + places.height[n] > seen.y,
  );
  cards(context, scene, nodes);
  return true;
}

function inView({ view, width, height }: Scene): Box {
  return {
    x: -view.x / view.zoom,
    y: -view.y / view.zoom,
    width: width / view.zoom,
    height: height / view.zoom,
  };
}

function xOf(scene: Scene, n: number): number {
  return scene.places.x[n] + (scene.moving?.has(n) ? scene.shift.x : 0);
}

function yOf(scene: Scene, n: number): number {
  return scene.places.y[n] + (scene.moving?.has(n) ? scene.shift.y : 0);
}

function codeOf(scene: Scene, n: number): number {
  const m = numberOf(scene, n);
  return m < 0 ? IDLE : scene.store!.codes[m];
}

/** A node's number in the run; -1 if it is not in it. The run's nodes are usually the graph's, in the same order. */
function numberOf({ store, graph }: Scene, n: number): number {
  const { id } = graph.nodes[n];
  return store?.ids[n] === id ? n : (store?.numbers.get(id) ?? -1);
}

function dots(context: CanvasRenderingContext2D, { view, width, height, colours }: Scene): void {
  if (view.zoom < 0.3) return;
  const gap = 24 * view.zoom;
  const size = Math.max(1, view.zoom * 1.4);
  context.fillStyle = colours.dot;
  context.beginPath();
  for (let x = ((view.x % gap) + gap) % gap; x < width; x += gap) {
    for (let y = ((view.y % gap) + gap) % gap; y < height; y += gap) context.rect(x, y, size, size);
  }
  context.fill();
}

// --- bodies of containers ---

function bodies(context: CanvasRenderingContext2D, scene: Scene, nodes: readonly number[]): void {
  const { places, colours, view } = scene;
  for (const n of nodes) {
    if (!places.container[n]) continue;
    const selected = scene.selected.has(scene.graph.nodes[n].id);
    const code = codeOf(scene, n);
    context.beginPath();
    context.roundRect(xOf(scene, n), yOf(scene, n), places.width[n], places.height[n], 12);
    context.globalAlpha = dimmed(scene, code) ? 0.35 : 1;
    context.fillStyle = places.depth[n] % 2 ? colours.raised : colours.sunken;
    context.fill();
    context.lineWidth = (selected ? 2 : 1) / Math.min(1, view.zoom * 1.4);
    context.strokeStyle = selected
      ? colours.accent
      : code === IDLE
        ? colours.lineStrong
        : colours.fills[code];
    context.stroke();
    context.globalAlpha = 1;
    if (view.zoom < NEAR_ZOOM) bodyTitle(context, scene, n, code);
  }
}

function bodyTitle(context: CanvasRenderingContext2D, scene: Scene, n: number, code: number): void {
  const { places, colours, view } = scene;
  if (places.width[n] * view.zoom < 40) return;
  const size = Math.min(28, Math.max(13, 11 / view.zoom));
  context.font = `600 ${size}px ${colours.font}`;
  context.fillStyle = code === IDLE ? colours.muted : colours.inks[code];
  context.fillText(
    fitted(context, titleOf(scene.graph.nodes[n]), places.width[n] - 32),
    xOf(scene, n) + 16,
    yOf(scene, n) + 20 + size / 2,
  );
}

// --- edges ---

function edges(context: CanvasRenderingContext2D, scene: Scene, seen: Box): number {
  const { places, edges: all, colours, view } = scene;
  const straight = view.zoom < FAR_ZOOM;
  const paths: (Path2D | null)[] = [null, null, null, null];
  let flowing = 0;
  let chosen: Path2D | null = null;
  const [right, bottom] = [seen.x + seen.width, seen.y + seen.height];
  for (let e = 0; e < all.ids.length; e += 1) {
    const [a, b] = [all.source[e], all.target[e]];
    const sx = xOf(scene, a) + places.width[a];
    const sy = yOf(scene, a) + all.out[e];
    const tx = xOf(scene, b);
    const ty = yOf(scene, b) + all.in[e];
    if (Math.max(sx, tx) < seen.x - 200 || Math.min(sx, tx) > right + 200) continue;
    if (Math.max(sy, ty) < seen.y || Math.min(sy, ty) > bottom) continue;
    const state = scene.store
      ? edgeState(all, e, scene.store, numberOf(scene, a), numberOf(scene, b))
      : RESTS;
    if (state === FLOWS) flowing += 1;
    let path = paths[state];
    if (!path) {
      path = new Path2D();
      paths[state] = path;
    }
    if (all.ids[e] === scene.selectedEdge) {
      chosen = new Path2D();
      path = chosen;
    }
    path.moveTo(sx, sy);
    if (straight) {
      path.lineTo(tx, ty);
    } else {
      const bend = bendOf(tx - sx);
      path.bezierCurveTo(sx + bend, sy, tx - bend, ty, tx, ty);
    }
  }
  const thin = Math.max(1.5, 1 / view.zoom) * (straight ? 0.6 : 1);
  const stroke = (path: Path2D | null, colour: string, width: number, dash: readonly number[] = []) => {
    if (!path) return;
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.setLineDash(dash as number[]);
    context.stroke(path);
  };
  context.globalAlpha = scene.filter ? 0.4 : 1;
  stroke(paths[RESTS], colours.edge, thin);
  stroke(paths[NOT_TAKEN], colours.edge, thin, straight ? [] : [3, 5]);
  stroke(paths[TAKEN], colours.fills[3], thin);
  context.lineDashOffset = scene.flow === null ? 0 : -scene.flow;
  stroke(paths[FLOWS], colours.fills[RUNNING], thin * 1.4, straight ? [] : [6, 5]);
  context.lineDashOffset = 0;
  stroke(chosen, colours.accent, thin * 1.7);
  context.setLineDash([]);
  context.globalAlpha = 1;
  return flowing;
}

// --- cards ---

function cards(context: CanvasRenderingContext2D, scene: Scene, nodes: readonly number[]): void {
  const shown = nodes.filter(
    (n) => !scene.places.container[n] && !(scene.held.has(n) && scene.view.zoom >= NEAR_ZOOM),
  );
  if (scene.view.zoom < FAR_ZOOM) blocks(context, scene, shown);
  else for (const n of shown) card(context, scene, n);
  rings(context, scene, shown);
}

/** One path a status. What a status is can be told by its mark too, as far as there is room for one. */
function blocks(context: CanvasRenderingContext2D, scene: Scene, nodes: readonly number[]): void {
  const { places, colours, view } = scene;
  const paths: Path2D[] = STATUSES.map(() => new Path2D());
  const faded: Path2D[] = STATUSES.map(() => new Path2D());
  const marks = new Path2D();
  const marked = places.width.length > 0 && view.zoom * 216 > 9;
  for (const n of nodes) {
    const code = codeOf(scene, n);
    const [x, y, w, h] = [xOf(scene, n), yOf(scene, n), places.width[n], places.height[n]];
    (dimmed(scene, code) ? faded : paths)[code].rect(x, y, w, h);
    if (!marked) continue;
    if (code === ERROR) {
      marks.moveTo(x + w * 0.3, y + h * 0.2);
      marks.lineTo(x + w * 0.7, y + h * 0.8);
      marks.moveTo(x + w * 0.7, y + h * 0.2);
      marks.lineTo(x + w * 0.3, y + h * 0.8);
    } else if (code === RUNNING) {
      marks.rect(x + w * 0.4, y + h * 0.35, w * 0.2, h * 0.3);
    } else if (code === SKIPPED) {
      marks.moveTo(x + w * 0.25, y + h * 0.8);
      marks.lineTo(x + w * 0.75, y + h * 0.2);
    } else if (code === WAITING) {
      marks.moveTo(x + w * 0.2, y + h * 0.5);
      marks.lineTo(x + w * 0.8, y + h * 0.5);
    }
  }
  paths.forEach((path, code) => {
    context.fillStyle = code === IDLE ? colours.lineStrong : colours.fills[code];
    context.fill(path);
    context.globalAlpha = 0.18;
    context.fill(faded[code]);
    context.globalAlpha = 1;
  });
  if (marked) {
    context.strokeStyle = "#ffffff";
    context.lineWidth = 1.4 / view.zoom;
    context.stroke(marks);
  }
}

function card(context: CanvasRenderingContext2D, scene: Scene, n: number): void {
  const { places, colours, view, graph } = scene;
  const node = graph.nodes[n];
  const code = codeOf(scene, n);
  const [x, y, w, h] = [xOf(scene, n), yOf(scene, n), places.width[n], places.height[n]];
  const near = view.zoom >= NEAR_ZOOM;
  context.globalAlpha = dimmed(scene, code) ? 0.3 : 1;
  context.beginPath();
  context.roundRect(x, y, w, h, 10);
  context.fillStyle = near ? colours.raised : colours.washes[code];
  context.fill();
  context.lineWidth = 1 / Math.min(1, view.zoom);
  context.strokeStyle = code === RUNNING || code === ERROR ? colours.fills[code] : colours.line;
  context.stroke();
  context.fillStyle = colours.fills[code];
  context.beginPath();
  context.roundRect(x + 6, y + 10, near ? 3 : 8, h - 20, 2);
  context.fill();
  if (near) {
    nearText(context, scene, n, code, x, y, w);
  } else if (view.zoom >= 0.24) {
    const size = Math.min(30, 10.5 / view.zoom);
    context.font = `600 ${size}px ${colours.font}`;
    context.fillStyle = colours.text;
    context.fillText(fitted(context, titleOf(node), w - 36), x + 22, y + h / 2 + size * 0.36);
  }
  context.globalAlpha = 1;
}

/** The same places for the same words as the card in HTML. */
function nearText(
  context: CanvasRenderingContext2D,
  scene: Scene,
  n: number,
  code: number,
  x: number,
  y: number,
  w: number,
): void {
  const { colours, graph, store, catalogue } = scene;
  const node = graph.nodes[n];
  context.fillStyle = colours.sunken;
  context.beginPath();
  context.roundRect(x + 16, y + 11, 30, 30, 7);
  context.fill();
  context.font = `600 13px ${colours.font}`;
  context.fillStyle = colours.text;
  context.fillText(fitted(context, titleOf(node), w - 68), x + 56, y + 24);
  context.font = `400 11px ${colours.font}`;
  context.fillStyle = colours.muted;
  context.fillText(
    fitted(context, catalogue.get(node.data.type)?.title ?? node.data.type, w - 68),
    x + 56,
    y + 39,
  );
  const row = store?.row(node.id);
  if (!row || code === IDLE) {
    context.fillStyle = colours.faint;
    context.fillText(fitted(context, summaryOf(node, catalogue.get(node.data.type)), w - 27), x + 15, y + 66);
    return;
  }
  context.font = `500 12px ${colours.font}`;
  context.fillStyle = colours.inks[code];
  context.fillText(nodeWords(row), x + 36, y + 66);
  if (row.duration >= 0) {
    const text = duration(row.duration);
    context.fillStyle = colours.muted;
    context.font = `400 11px ${colours.font}`;
    context.fillText(text, x + w - 14 - context.measureText(text).width, y + 66);
  }
}

function rings(context: CanvasRenderingContext2D, scene: Scene, nodes: readonly number[]): void {
  if (!scene.selected.size) return;
  context.strokeStyle = scene.colours.accent;
  context.lineWidth = Math.max(2, 2 / scene.view.zoom);
  context.beginPath();
  for (const n of nodes) {
    if (!scene.selected.has(scene.graph.nodes[n].id)) continue;
    const away = 3 / scene.view.zoom;
    context.roundRect(
      xOf(scene, n) - away,
      yOf(scene, n) - away,
      scene.places.width[n] + 2 * away,
      scene.places.height[n] + 2 * away,
      10 + away,
    );
  }
  context.stroke();
}

function dimmed(scene: Scene, code: number): boolean {
  return scene.filter !== null && !scene.filter.has(code);
}

const widths = new Map<string, string>();

/** The text, cut so that it fits; remembered, because measuring is dear. */
function fitted(context: CanvasRenderingContext2D, text: string, width: number): string {
  const key = `${context.font}|${Math.round(width)}|${text}`;
  let known = widths.get(key);
  if (known === undefined) {
    known = cut(context, text, width);
    if (widths.size > 20_000) widths.clear();
    widths.set(key, known);
  }
  return known;
}

function cut(context: CanvasRenderingContext2D, text: string, width: number): string {
  if (context.measureText(text).width <= width) return text;
  let [short, long] = [0, text.length];
  while (short + 1 < long) {
    const middle = (short + long) >> 1;
    if (context.measureText(`${text.slice(0, middle)}…`).width <= width) short = middle;
    else long = middle;
  }
  return short ? `${text.slice(0, short)}…` : "";
}
