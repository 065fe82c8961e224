/**
 * The canvas layer's life: what it paints, and when. Changes are gathered and painted once a frame; statuses are painted
 * over what is there where that is enough. Knows no React.
 */

import type { RunStore } from "../execution/run-store.ts";
import { edgesOf } from "./edges.ts";
import type { Graph } from "./graph.ts";
import { indexOf } from "./graph.ts";
import { NEAR_ZOOM, paint, repaint, type Scene, type View } from "./painter.ts";
import { type Colours, coloursOf } from "./palette-colours.ts";
import { type Catalogue, type Places, placesOf } from "./places.ts";

export const MOST_HELD = 200;
export const MOST_MOVING = 40;
const MARGIN = 0.25;
/** Edges are recoloured at most so often while statuses are painted over one by one. */
const EDGES_EVERY = 400;

export class Stage {
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  #graph: Graph;
  #catalogue: Catalogue;
  #store: RunStore | null = null;
  #colours: Colours;
  #view: View = { x: 0, y: 0, zoom: 1 };
  #width = 0;
  #height = 0;
  #ratio = 1;
  #held: ReadonlySet<number> = new Set();
  #selected: ReadonlySet<string> = new Set();
  #selectedEdge = "";
  #filter: ReadonlySet<number> | null = null;
  #moving: ReadonlySet<number> | null = null;
  #shift = { x: 0, y: 0 };
  #motion = true;
  #frame = 0;
  #all = true;
  #dirty: number[] = [];
  #paintedAt = 0;
  #later: ReturnType<typeof setTimeout> | undefined;
  #release: () => void = () => {};
  readonly #viewListeners = new Set<() => void>();
  /** Frames painted, for measurements. */
  frames = 0;

  constructor(canvas: HTMLCanvasElement, graph: Graph, catalogue: Catalogue) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d")!;
    this.#graph = graph;
    this.#catalogue = catalogue;
    this.#colours = coloursOf(canvas);
  }

  get view(): View {
    return this.#view;
  }

  get places(): Places {
    return placesOf(this.#graph, this.#catalogue);
  }

  get far(): boolean {
    return this.#view.zoom < NEAR_ZOOM;
  }

  get size(): { width: number; height: number } {
    return { width: this.#width, height: this.#height };
  }

  stop(): void {
    this.#release();
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#later);
  }

  // --- what it paints ---

  setView(view: View): void {
    this.#view = view;
    this.invalidate();
  }

  /** Called with every frame that is painted whole: the view may be another one. */
  onView(listener: () => void): () => void {
    this.#viewListeners.add(listener);
    listener();
    return () => this.#viewListeners.delete(listener);
  }

  setSize(width: number, height: number, ratio: number): void {
    this.#width = width;
    this.#height = height;
    this.#ratio = Math.min(2, ratio);
    this.#canvas.width = Math.round(width * this.#ratio);
    this.#canvas.height = Math.round(height * this.#ratio);
    // At first there is nothing that would be missed, and where it is looked at from is still to come.
    if (this.frames) this.paint();
    else this.invalidate();
  }

  setGraph(graph: Graph, catalogue: Catalogue): void {
    this.#graph = graph;
    this.#catalogue = catalogue;
    this.invalidate();
  }

  setStore(store: RunStore | null): void {
    this.#release();
    this.#store = store;
    this.#release = store ? store.subscribeDirty((dirty) => this.#changed(store, dirty)) : () => {};
    this.invalidate();
  }

  setHeld(ids: readonly string[]): void {
    const { number } = indexOf(this.#graph);
    this.#held = new Set(ids.map((id) => number.get(id) ?? -1));
    this.invalidate();
  }

  setSelection(selected: ReadonlySet<string>, edge: string): void {
    this.#selected = selected;
    this.#selectedEdge = edge;
    this.invalidate();
  }

  setFilter(filter: ReadonlySet<number> | null): void {
    this.#filter = filter;
    this.invalidate();
  }

  setMotion(motion: boolean): void {
    this.#motion = motion;
    this.invalidate();
  }

  /** Nodes that are being dragged, and how far. */
  setShift(moving: ReadonlySet<number> | null, x: number, y: number): void {
    this.#moving = moving;
    this.#shift = { x, y };
    this.invalidate();
  }

  /** The theme has changed. */
  recolour(): void {
    this.#colours = coloursOf(this.#canvas);
    this.invalidate();
  }

  // --- when ---

  invalidate(): void {
    this.#all = true;
    this.#request();
  }

  #changed(store: RunStore, dirty: readonly number[]): void {
    const { number } = indexOf(this.#graph);
    for (const m of dirty) {
      const id = store.ids[m];
      const n = this.#graph.nodes[m]?.id === id ? m : number.get(id);
      if (n !== undefined) this.#dirty.push(n);
    }
    this.#request();
  }

  #request(): void {
    if (!this.#frame) this.#frame = requestAnimationFrame((at) => this.#draw(at));
  }

  #draw(at: number): void {
    this.#frame = 0;
    if (!this.#width || !this.#height) return;
    this.frames += 1;
    const scene = this.#scene(at);
    const dirty = this.#dirty;
    this.#dirty = [];
    if (!this.#all && at - this.#paintedAt < EDGES_EVERY && repaint(this.#context, scene, dirty)) {
      // Their edges follow a little later, all at once.
      clearTimeout(this.#later);
      this.#later = setTimeout(() => this.invalidate(), EDGES_EVERY);
      return;
    }
    this.#all = false;
    this.#paintedAt = at;
    const { flowing } = paint(this.#context, scene);
    for (const listener of this.#viewListeners) listener();
    if (scene.flow !== null && flowing > 0 && flowing <= MOST_MOVING) this.#all = true;
    if (this.#all) this.#request();
  }

  /** At once, for a canvas that has just been emptied. */
  paint(): void {
    cancelAnimationFrame(this.#frame);
    this.#all = true;
    this.#draw(performance.now());
  }

  #scene(at: number): Scene {
    const moves = this.#motion && !this.far && !document.hidden && this.#store !== null && !this.#store.ended;
    return {
      graph: this.#graph,
      places: this.places,
      edges: edgesOf(this.#graph, this.#catalogue),
      catalogue: this.#catalogue,
      store: this.#store,
      colours: this.#colours,
      view: this.#view,
      width: this.#width,
      height: this.#height,
      ratio: this.#ratio,
      held: this.#held,
      selected: this.#selected,
      selectedEdge: this.#selectedEdge,
      filter: this.#filter,
      moving: this.#moving,
      shift: this.#shift,
      flow: moves ? (at / 24) % 1_100 : null,
    };
  }

  // --- who is near ---

  /** The ids that React Flow is to hold: what is in view if that is little, and always these. */
  near(always: Iterable<string>): string[] {
    const { places } = this;
    const { number } = indexOf(this.#graph);
    const found = new Set<string>();
    if (!this.far) {
      const [w, h] = [this.#width / this.#view.zoom, this.#height / this.#view.zoom];
      const box = {
        x: -this.#view.x / this.#view.zoom - w * MARGIN,
        y: -this.#view.y / this.#view.zoom - h * MARGIN,
        width: w * (1 + 2 * MARGIN),
        height: h * (1 + 2 * MARGIN),
      };
      const inView = places.within(box);
      if (inView.length <= MOST_HELD) for (const n of inView) found.add(this.#graph.nodes[n].id);
    }
    for (const id of always) if (number.has(id) && found.size <= MOST_HELD + 50) found.add(id);
    return [...found];
  }

  /** From pixels of the layer to the graph's own. */
  toGraph(x: number, y: number): { x: number; y: number } {
    return { x: (x - this.#view.x) / this.#view.zoom, y: (y - this.#view.y) / this.#view.zoom };
  }
}
