/** What becomes of nodes that are added, dropped, pasted or pushed: where they go, and what they are tied to. */

import type { Connection } from "@xyflow/react";
import type { NodeType, WorkflowNode } from "../protocol/document.ts";
import type { CanvasProps } from "./canvas.tsx";
import { type Clipping, freshId } from "./editor.ts";
import { BODY_HEADER, BODY_PADDING, CARD_HEIGHT, CARD_WIDTH, GAP_X } from "./geometry.ts";
import { indexOf, titleOf, withBodies } from "./graph.ts";
import { placesOf } from "./places.ts";
import type { Stage } from "./stage.ts";

/** Where a node from the palette goes: after a node, or to a place, or wherever there is room. */
export interface Wanted {
  readonly title: string;
  readonly after?: string;
  readonly handle?: string;
  readonly place?: { x: number; y: number };
}

/** Handles called `output` and `input` are left out: they are what there is without saying so. */
export function endsOf(connection: Connection) {
  const { source, target, sourceHandle, targetHandle } = connection;
  return {
    source,
    target,
    ...(sourceHandle && sourceHandle !== "output" ? { sourceHandle } : {}),
    ...(targetHandle && targetHandle !== "input" ? { targetHandle } : {}),
  };
}

/** The first way out that leads nowhere yet; else the first. */
export function freeHandle(
  graph: CanvasProps["editor"]["graph"],
  outputs: readonly string[],
  source: string,
): string {
  const used = new Set(
    (indexOf(graph).outgoing.get(source) ?? []).map((edge) => edge.sourceHandle || "output"),
  );
  return outputs.find((handle) => !used.has(handle)) ?? outputs[0] ?? "output";
}

export function clippingOf(text: string): Clipping | null {
  try {
    const value = JSON.parse(text) as Partial<Clipping>;
    return Array.isArray(value.nodes) && value.nodes.length > 0
      ? ({ flowscope: "nodes", nodes: value.nodes, edges: value.edges ?? [] } as Clipping)
      : null;
  } catch {
    return null;
  }
}

/** A node of that type, under a new id, where it is wanted and nothing is yet. */
export function placedNode(
  type: NodeType,
  wanted: Wanted,
  { editor, catalogue }: CanvasProps,
  stage: Stage | null,
): WorkflowNode {
  const { graph } = editor;
  const places = placesOf(graph, catalogue);
  const { number } = indexOf(graph);
  const id = freshId(new Set(graph.nodes.map((node) => node.id)), type.type);
  const title = graph.nodes.some((node) => titleOf(node) === type.title)
    ? `${type.title} ${id.slice(type.type.length) || ""}`.trim()
    : type.title;
  const container = type.role === "container";
  const trigger = type.role === "trigger" || type.role === "error_trigger";
  let parent = "";
  let [x, y] = [0, 0];
  const after = wanted.after === undefined ? undefined : number.get(wanted.after);
  if (wanted.place) {
    [x, y] = [wanted.place.x, wanted.place.y];
    const inside = trigger ? -1 : places.containerAt(x + CARD_WIDTH / 2, y + CARD_HEIGHT / 2, () => false);
    if (inside >= 0) parent = graph.nodes[inside].id;
    if (after !== undefined) parent = graph.nodes[after].parentId ?? "";
  } else if (after !== undefined) {
    [x, y] = [places.x[after] + places.width[after] + GAP_X, places.y[after]];
    parent = graph.nodes[after].parentId ?? "";
  } else if (stage) {
    const middle = stage.toGraph(stage.size.width / 2, stage.size.height / 2);
    [x, y] = [middle.x - CARD_WIDTH / 2, middle.y - CARD_HEIGHT / 2];
  }
  const owner = parent ? number.get(parent)! : -1;
  const taken = (n: number) => graph.nodes[n].id !== parent && (graph.nodes[n].parentId ?? "") === parent;
  while (
    places.within({ x: x - 12, y: y - 12, width: CARD_WIDTH + 24, height: CARD_HEIGHT + 24 }).some(taken)
  )
    y += 24;
  if (owner >= 0)
    [x, y] = [Math.max(BODY_PADDING, x - places.x[owner]), Math.max(BODY_HEADER, y - places.y[owner])];
  const snapped = { x: Math.round(x / 12) * 12, y: Math.round(y / 12) * 12 };
  return {
    id,
    type: type.type,
    position: snapped,
    ...(parent ? { parentId: parent } : {}),
    ...(container ? { width: CARD_WIDTH + 2 * BODY_PADDING + 12, height: 168 } : {}),
    data: { label: title, type: type.type, category: type.category, config: defaultsOf(type) },
  };
}

/** What must be there and has an example: a node that was just added should be nearly ready. */
function defaultsOf(type: NodeType): NonNullable<WorkflowNode["data"]["config"]> {
  const required = type.schema.required ?? [];
  return Object.fromEntries(
    required
      .filter((field) => type.example[field] !== undefined)
      .map((field) => [field, structuredClone(type.example[field])]),
  );
}

/** After a drag: new places, and into or out of a container for what was dropped there and is tied to nothing else. */
export function dropNodes(
  { editor, catalogue }: CanvasProps,
  ids: ReadonlySet<string>,
  dx: number,
  dy: number,
): void {
  if (!dx && !dy) return;
  const { graph } = editor;
  const { number } = indexOf(graph);
  const places = placesOf(graph, catalogue);
  const moved = (n: number) => ids.has(graph.nodes[n].id);
  const nodes = graph.nodes.map((node): WorkflowNode => {
    if (!ids.has(node.id) || (node.parentId && ids.has(node.parentId))) return node;
    const n = number.get(node.id)!;
    const [x, y] = [places.x[n] + dx, places.y[n] + dy];
    const tied = graph.edges.some(
      (edge) =>
        (edge.source === node.id) !== (edge.target === node.id) &&
        !(ids.has(edge.source) && ids.has(edge.target)),
    );
    const role = catalogue.get(node.data.type)?.role;
    const inside = places.containerAt(
      x + places.width[n] / 2,
      y + Math.min(places.height[n], CARD_HEIGHT) / 2,
      moved,
    );
    const parent =
      role === "trigger" || role === "error_trigger" ? "" : inside >= 0 ? graph.nodes[inside].id : "";
    const owner = tied ? (node.parentId ?? "") : parent;
    const at = owner ? number.get(owner)! : -1;
    const { parentId: _, ...rest } = node;
    const position = {
      x: Math.round(at >= 0 ? Math.max(BODY_PADDING, x - places.x[at]) : x),
      y: Math.round(at >= 0 ? Math.max(BODY_HEADER, y - places.y[at]) : y),
    };
    return owner ? { ...rest, parentId: owner, position } : { ...rest, position };
  });
  editor.change({ ...graph, nodes }, "move");
}

export function nudge(props: CanvasProps, key: string): void {
  const by = { ArrowRight: [12, 0], ArrowLeft: [-12, 0], ArrowUp: [0, -12], ArrowDown: [0, 12] }[key];
  if (by && !props.editor.readOnly)
    dropNodes(props, withBodies(props.editor.graph, props.selection.ids), by[0], by[1]);
}
