/** What starts a run by hand, and what it is likely to want. */

import type { Graph } from "../../canvas/graph.ts";
import type { Catalogue } from "../../canvas/places.ts";
import type { Json, JsonObject, WorkflowNode } from "../../protocol/document.ts";

/** The triggers, the one that starts a run which names none first: a manual one, else the first there is. */
export function triggersOf(graph: Graph, catalogue: Catalogue): WorkflowNode[] {
  const found = graph.nodes.filter(
    (node) => !node.parentId && catalogue.get(node.data.type)?.role === "trigger",
  );
  const manual = found.filter((node) => node.data.type === "manual_trigger");
  return [...manual, ...found.filter((node) => node.data.type !== "manual_trigger")];
}

/** Whether a run without an input is of no use: what starts it brings one. */
export function wantsInput(trigger: WorkflowNode | undefined): boolean {
  return trigger?.data.type === "form_trigger" || trigger?.data.type === "webhook";
}

/** An input to begin with. */
export function sampleOf(trigger: WorkflowNode | undefined): Json {
  const config = trigger?.data.config ?? {};
  switch (trigger?.data.type) {
    case "manual_trigger":
      return config.defaults ?? {};
    case "form_trigger":
      return Object.fromEntries(
        ((config.fields ?? []) as JsonObject[]).map((field) => [String(field.name), answerOf(field)]),
      );
    case "webhook":
      return { query: {}, headers: {}, body: {} };
    default:
      return {};
  }
}

function answerOf(field: JsonObject): Json {
  if (field.type === "number") return Number(field.min ?? 0);
  if (field.type === "boolean") return false;
  if (field.type === "select") return (field.options as Json[] | undefined)?.[0] ?? "";
  return "";
}
