/** What lies between two versions of a workflow: nodes and edges that came, went, or were changed, and in which fields. */

import type { WorkflowNode } from "../protocol/document.ts";
import { type Graph, titleOf } from "./graph.ts";

export interface Change {
  readonly kind: "added" | "removed" | "changed" | "moved";
  readonly what: "node" | "edge" | "workflow";
  readonly id: string;
  readonly title: string;
  readonly fields: readonly FieldChange[];
}

export interface FieldChange {
  /** Such as `config.url`. */
  readonly field: string;
  readonly before: unknown;
  readonly after: unknown;
}

export function differences(before: Graph, after: Graph): Change[] {
  return [...ofWorkflow(before, after), ...ofNodes(before, after), ...ofEdges(before, after)];
}

function ofWorkflow(before: Graph, after: Graph): Change[] {
  const fields = fieldsOf(before.rest, after.rest, "");
  return fields.length
    ? [
        {
          kind: "changed",
          what: "workflow",
          id: after.rest.id,
          title: after.rest.name ?? after.rest.id,
          fields,
        },
      ]
    : [];
}

function ofNodes(before: Graph, after: Graph): Change[] {
  const old = new Map(before.nodes.map((node) => [node.id, node]));
  const changes: Change[] = [];
  for (const node of after.nodes) {
    const was = old.get(node.id);
    old.delete(node.id);
    if (!was) changes.push({ kind: "added", what: "node", id: node.id, title: titleOf(node), fields: [] });
    else if (was !== node) changes.push(...ofNode(was, node));
  }
  for (const node of old.values())
    changes.push({ kind: "removed", what: "node", id: node.id, title: titleOf(node), fields: [] });
  return changes;
}

function ofNode(was: WorkflowNode, node: WorkflowNode): Change[] {
  const { position: _a, width: _b, height: _c, ...before } = was;
  const { position: _d, width: _e, height: _f, ...after } = node;
  const fields = fieldsOf(before, after, "");
  const about = { what: "node" as const, id: node.id, title: titleOf(node) };
  if (fields.length) return [{ kind: "changed", ...about, fields }];
  const moved =
    JSON.stringify([was.position, was.width, was.height]) !==
    JSON.stringify([node.position, node.width, node.height]);
  return moved && was.position ? [{ kind: "moved", ...about, fields: [] }] : [];
}

function ofEdges(before: Graph, after: Graph): Change[] {
  const said = (graph: Graph) =>
    new Map(
      graph.edges.map((edge) => {
        const by = edge.sourceHandle && edge.sourceHandle !== "output" ? ` (${edge.sourceHandle})` : "";
        const into = edge.targetHandle && edge.targetHandle !== "input" ? ` (${edge.targetHandle})` : "";
        return [`${edge.source}${by} → ${edge.target}${into}`, edge.id];
      }),
    );
  const [old, now] = [said(before), said(after)];
  const change = (kind: "added" | "removed", title: string, id: string): Change => ({
    kind,
    what: "edge",
    id,
    title,
    fields: [],
  });
  return [
    ...[...now].filter(([title]) => !old.has(title)).map(([title, id]) => change("added", title, id)),
    ...[...old].filter(([title]) => !now.has(title)).map(([title, id]) => change("removed", title, id)),
  ];
}

/** The leaves that differ; a list is one leaf. */
function fieldsOf(before: unknown, after: unknown, field: string): FieldChange[] {
  if (JSON.stringify(before) === JSON.stringify(after)) return [];
  if (isObject(before) && isObject(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
    return [...keys].flatMap((key) => fieldsOf(before[key], after[key], field ? `${field}.${key}` : key));
  }
  return [{ field: field.replace(/^data\./, ""), before, after }];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
