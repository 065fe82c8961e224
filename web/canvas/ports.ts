/** A node's ways in and out, and where on its edge they are. */

import type { JsonObject, WorkflowEdge, WorkflowNode } from "../protocol/document.ts";
import { BODY_HEADER } from "./geometry.ts";
import { type Graph, indexOf } from "./graph.ts";
import type { Catalogue } from "./places.ts";

export interface Ports {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

const ONE = ["output"];

/** The handles of a node: those of its type, those its config names, and those that edges use. */
export function portsOf(node: WorkflowNode, graph: Graph, catalogue: Catalogue): Ports {
  const type = catalogue.get(node.data.type);
  const { incoming, outgoing } = indexOf(graph);
  const trigger = type?.role === "trigger" || type?.role === "error_trigger";
  const inputs = new Set(trigger ? [] : ["input"]);
  for (const edge of incoming.get(node.id) ?? []) inputs.add(edge.targetHandle || "input");
  if (
    inputs.size > 1 &&
    !incoming.get(node.id)?.some((edge) => !edge.targetHandle || edge.targetHandle === "input")
  ) {
    inputs.delete("input");
  }
  const outputs = new Set(type ? (type.handles ?? casesOf(node.data.config ?? {})) : ONE);
  for (const edge of outgoing.get(node.id) ?? []) outputs.add(outputOf(edge, outputs));
  return { inputs: [...inputs], outputs: [...outputs] };
}

/** The handle an edge leaves by, in the type's own spelling (`output_true` is `true`). */
export function outputOf(edge: WorkflowEdge, outputs: ReadonlySet<string>): string {
  const handle = edge.sourceHandle || "output";
  if (outputs.has(handle)) return handle;
  const short = handle.replace(/^output_/, "");
  if (outputs.has(short)) return short;
  return handle === "output" && outputs.size ? [...outputs][0] : handle;
}

/** The handle an edge leaves by, as a run's record spells it: what names none is on `output`. */
export function takenBy(edge: WorkflowEdge): string {
  const data = edge.data as { isDefault?: unknown } | null | undefined;
  if (edge.isDefault === true || data?.isDefault === true) return "default";
  return (edge.sourceHandle || "output").replace(/^output_(?=true$|false$)/, "");
}

/** A switch leaves by the values of its cases. */
function casesOf(config: JsonObject): string[] {
  const cases = Array.isArray(config.cases) ? config.cases : [];
  const values = cases.flatMap((one) =>
    typeof one === "object" && one !== null && !Array.isArray(one) && one.value !== undefined
      ? [String(one.value)]
      : [],
  );
  return [...values, "default"];
}

/** Pixels below the node's upper edge. */
export function portOffset(at: number, of: number, height: number, container: boolean): number {
  const room = container ? BODY_HEADER : height;
  return (room * (at + 1)) / (of + 1);
}

/** Whether a handle's name is worth showing. */
export function isNamed(handle: string): boolean {
  return handle !== "output" && handle !== "input";
}
