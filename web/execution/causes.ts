/**
 * What made a node due, and when: the graph's joins, counted down event by event as the engine does it, for one scope: the
 * top level, or an iteration.
 *
 *   all edges in decided, one at least active ──> due     all decided, none active ──> doomed (to be skipped)
 */

import type { WorkflowEdge, WorkflowNode } from "../protocol/document.ts";
import type { JournalEvent } from "./api.ts";

interface Place {
  readonly id: string;
  readonly trigger: boolean;
  /** Opened only by a failure of the run. */
  readonly gated: boolean;
  /** Its first active edge starts it. */
  readonly any: boolean;
  readonly continues: boolean;
  edges: number;
  /** The nodes behind each handle. */
  readonly routes: Map<string, number[]>;
}

/** The top level of a workflow, or a container's body; nodes by number. */
export interface Shape {
  readonly places: readonly Place[];
  readonly numbers: ReadonlyMap<string, number>;
  /** Numbers, each after those that lead to it. */
  readonly order: readonly number[];
}

export interface Graph {
  readonly nodes: readonly WorkflowNode[];
  readonly edges: readonly WorkflowEdge[];
}

/** Whether two graphs have the same shape for certain: nodes may have been moved. */
export function isAlike(one: Graph, other: Graph): boolean {
  return (
    one.edges === other.edges &&
    one.nodes.length === other.nodes.length &&
    one.nodes.every((node, n) => {
      const { id, data, parentId } = other.nodes[n];
      return node.id === id && node.data === data && node.parentId === parentId;
    })
  );
}

export type RoleOf = (type: string) => string | undefined;

export function shapeOf(graph: Graph, roleOf: RoleOf, owner?: string): Shape {
  const places = graph.nodes
    .filter((node) => node.parentId === owner)
    .map(({ id, data: { type, config } }): Place => {
      const role = roleOf(type);
      return {
        id,
        trigger: role === "trigger",
        gated: role === "error_trigger",
        any: config?.join === "any",
        continues: config?.continueOnError === true,
        edges: 0,
        routes: new Map(),
      };
    });
  const numbers = new Map(places.map(({ id }, n) => [id, n]));
  for (const edge of graph.edges) {
    const source = numbers.get(edge.source);
    const target = numbers.get(edge.target);
    if (source === undefined || target === undefined) continue;
    const handle = (edge.sourceHandle || "output").replace(/^output_(?=.)/, "");
    const { routes } = places[source];
    const targets = routes.get(handle);
    if (targets) targets.push(target);
    else routes.set(handle, [target]);
    places[target].edges += 1;
  }
  return { places, numbers, order: inOrder(places) };
}

function inOrder(places: readonly Place[]): number[] {
  const left = places.map((place) => place.edges);
  const order = [...places.keys()].filter((n) => !left[n]);
  for (const n of order)
    for (const targets of places[n].routes.values())
      for (const target of targets) {
        left[target] -= 1;
        if (!left[target]) order.push(target);
      }
  return order;
}

/** One run of a node: since when it was due, and whose end that came from (-1 for nobody's). */
export interface Due {
  readonly at: number;
  readonly cause: number;
}

export class Causes {
  readonly shape: Shape;
  /** By number. */
  readonly due: (Due | undefined)[] = [];
  /** What is due and has not ended, the longest first. */
  readonly open = new Set<number>();
  /** Number of the node that ended last, and of the one whose failure ended the run; -1 for none. */
  last = -1;
  failed = -1;
  #at = 0;
  readonly #left: number[];
  readonly #active: boolean[] = [];
  readonly #doomed = new Map<number, number>();
  /** How those ended that have. */
  readonly #over = new Map<number, string>();

  constructor(shape: Shape) {
    this.shape = shape;
    this.#left = shape.places.map((place) => place.edges + (place.gated ? 1 : 0));
  }

  /** An event of the scope itself, at that time. */
  take(event: JournalEvent, at: number): void {
    this.#at = at;
    if (event.nodeId === undefined) return this.#run(event);
    const n = this.shape.numbers.get(event.nodeId);
    if (n !== undefined) this.#node(event, n);
  }

  /** Those that nothing leads to begin, but for those that another one begins instead of. */
  begin(at: number, begins: (place: Place) => boolean): void {
    this.#at = at;
    this.#left.forEach((left, n) => {
      if (left) return;
      if (begins(this.shape.places[n])) this.#ready(n, -1);
      else this.#doomed.set(n, -1);
    });
  }

  /** It has failed at that node. */
  fail(nodeId: string): void {
    if (this.failed < 0) this.failed = this.shape.numbers.get(nodeId) ?? -1;
  }

  /** Back over causes from what ended last; while it goes on, from what has been at it longest. Numbers, the first first. */
  chain(over: boolean): number[] {
    const [longest] = this.open;
    let n = longest !== undefined && !over ? longest : this.last;
    // What ended only because something had failed is not what the end hung on.
    const because = over && ["skipped", "cancelled"].includes(this.#over.get(n) ?? "");
    if (because && this.due[this.failed]) n = this.failed;
    const path: number[] = [];
    for (; n >= 0 && this.due[n]; n = this.due[n]!.cause) path.push(n);
    return path.reverse();
  }

  #run(event: JournalEvent): void {
    const { places, numbers } = this.shape;
    if (event.type === "ExecutionStarted") {
      this.begin(this.#at, (place) => !place.trigger || place.id === event.trigger);
    } else if (event.type === "ExecutionFailing") {
      const culprit = String((event.error as { nodeId?: string } | undefined)?.nodeId ?? "");
      const cause = numbers.get(culprit) ?? -1;
      this.fail(culprit);
      for (let n = 0; n < places.length; n += 1) if (places[n].gated) this.#ready(n, cause);
    }
  }

  #node(event: JournalEvent, n: number): void {
    const { routes, continues } = this.shape.places[n];
    // Of an error, the edges on `error` are active; where there are none, those on `output` if the run goes on.
    const onError = routes.has("error") ? "error" : continues ? "output" : "";
    switch (event.type) {
      case "NodeStarted":
        this.#ready(n, -1);
        return;
      case "NodeSucceeded":
        return this.#end(n, "success", String(event.handle ?? "output"));
      case "NodeFailed":
        if (!event.retryAt) this.#end(n, "error", event.handled ? onError : "");
        return;
      case "NodeCancelled":
        return this.#end(n, "cancelled", "");
      case "NodeSkipped":
        this.#instead(n);
        return this.#end(n, "skipped", "");
      case "NodeAdopted":
        this.#instead(n);
        return this.#end(n, "kept", event.error ? onError : String(event.handle ?? "output"));
    }
  }

  #end(n: number, status: string, handle: string): void {
    this.last = n;
    this.open.delete(n);
    this.#over.set(n, status);
    for (const [route, targets] of this.shape.places[n].routes)
      for (const target of targets) this.#decide(target, route === handle, n);
  }

  #decide(target: number, active: boolean, cause: number): void {
    this.#left[target] -= 1;
    if (active) this.#active[target] = true;
    if (active && this.shape.places[target].any) this.#ready(target, cause);
    else if (this.#left[target] === 0) {
      if (this.#active[target]) this.#ready(target, cause);
      else if (!this.due[target]) this.#doomed.set(target, cause);
    }
  }

  #ready(n: number, cause: number): void {
    if (this.due[n] || this.#over.has(n)) return;
    this.due[n] = { at: this.#at, cause };
    this.open.add(n);
  }

  /** It never started. What nothing decided hung on all that ended before. */
  #instead(n: number): void {
    const before = this.due[n];
    const known = before ? before.cause : (this.#doomed.get(n) ?? -1);
    this.due[n] = { at: before?.at ?? this.#at, cause: known >= 0 ? known : this.last };
  }
}
