/** What the ends of iterations hung on: for each node of a body, in how many iterations it was on the critical path. */

import type { JournalEvent } from "./api.ts";
import { Causes, type Graph, type RoleOf, type Shape, shapeOf } from "./causes.ts";

export class Bodies {
  /** By node; only iterations that have ended count. */
  readonly critical = new Map<string, number>();
  readonly #graph: Graph;
  readonly #roleOf: RoleOf;
  readonly #shapes = new Map<string, Shape>();
  /** The iterations that go on, by path. */
  readonly #open = new Map<string, Causes>();

  constructor(graph: Graph, roleOf: RoleOf) {
    this.#graph = graph;
    this.#roleOf = roleOf;
  }

  /** An event of the history, with the `iteration` that it is about. */
  take(event: JournalEvent, at: number): void {
    if (event.nodeId === undefined) return;
    const own = String(event.iteration ?? "");
    if (event.type === "IterationStarted") this.#begin(event, own, at);
    else if (own) this.#end(event, own);
    else if (event.path) this.#open.get(event.path)?.take(event, at);
  }

  #begin(event: JournalEvent, own: string, at: number): void {
    const owner = event.nodeId!;
    let shape = this.#shapes.get(owner);
    if (!shape) {
      shape = shapeOf(this.#graph, this.#roleOf, owner);
      this.#shapes.set(owner, shape);
    }
    const causes = new Causes(shape);
    causes.begin(at, ({ id }) => !event.entry || event.entry === id);
    this.#open.set(own, causes);
  }

  #end(event: JournalEvent, own: string): void {
    const causes = this.#open.get(own);
    this.#open.delete(own);
    if (!causes || event.type === "IterationAdopted") return;
    if (event.type === "IterationFailed")
      causes.fail(String((event.error as { nodeId?: string } | undefined)?.nodeId ?? ""));
    for (const n of causes.chain(true)) {
      const { id } = causes.shape.places[n];
      this.critical.set(id, (this.critical.get(id) ?? 0) + 1);
    }
  }
}
