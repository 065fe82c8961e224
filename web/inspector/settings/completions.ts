/** What can stand in an expression here: nodes before this one and their fields, the input's fields, variables, secrets, credentials. */

import { type Graph, indexOf, nodeOf, titleOf } from "../../canvas/graph.ts";
import type { Json } from "../../protocol/document.ts";
import { kindOf } from "../json-rows.ts";

export interface Completion {
  readonly label: string;
  /** What it is. */
  readonly detail: string;
}

/** All nodes that lead here, nearest first; of nodes in a body also those that lead to their container. */
export function upstreamOf(graph: Graph, nodeId: string): string[] {
  const { incoming } = indexOf(graph);
  const found: string[] = [];
  const seen = new Set([nodeId]);
  const queue = [nodeId];
  for (let id = queue.shift(); id !== undefined; id = queue.shift()) {
    for (const edge of incoming.get(id) ?? []) {
      if (seen.has(edge.source)) continue;
      seen.add(edge.source);
      found.push(edge.source);
      queue.push(edge.source);
    }
    const parent = nodeOf(graph, id)?.parentId;
    if (parent !== undefined && !seen.has(parent)) {
      seen.add(parent);
      queue.push(parent);
    }
  }
  return found;
}

/** Where the caret is inside of `{{ }}`: the path that is being written, and where it begins. Null outside. */
export function typedAt(text: string, caret: number): { path: string; from: number } | null {
  const before = text.slice(0, caret);
  const open = before.lastIndexOf("{{");
  if (open < 0 || before.indexOf("}}", open) >= 0) return null;
  const inside = before.slice(open + 2);
  // Inside of a text in quotes nothing is completed.
  if ((inside.match(/"/g)?.length ?? 0) % 2 || (inside.match(/'/g)?.length ?? 0) % 2) return null;
  const path = /\$?[A-Za-z_][\w$]*(?:\??\.[\w$-]*|\[\d*\]?)*$/.exec(inside)?.[0] ?? "";
  return { path, from: caret - path.length };
}

/** Values by the names that can be looked up; undefined where nothing is known of one. */
export type Known = ReadonlyMap<string, { value: Json | undefined; detail: string }>;

const MOST = 12;

/** What the path that is being written can go on to. */
export function completionsOf(known: Known, path: string): Completion[] {
  const dot = path.lastIndexOf(".");
  const start = (dot < 0 ? path : path.slice(dot + 1)).replace(/^\$/, "").toLowerCase();
  const found = dot < 0 ? roots(known) : membersAt(known, path.slice(0, dot).replace(/\?$/, ""));
  const fits = found.filter(
    ({ label }) => label.toLowerCase().startsWith(start) && label.toLowerCase() !== start,
  );
  const rest = found.filter(
    ({ label }) => start && !label.toLowerCase().startsWith(start) && label.toLowerCase().includes(start),
  );
  return [...fits, ...rest].slice(0, MOST);
}

function roots(known: Known): Completion[] {
  const named = [...known].map(([label, { detail }]) => ({ label, detail }));
  const input = known.get("json")?.value;
  const fields = members(input).filter(({ label }) => !known.has(label));
  return [...fields, ...named];
}

function membersAt(known: Known, path: string): Completion[] {
  const keys = path
    .replace(/^\$/, "")
    .replace(/\?/g, "")
    .replace(/\[(\d+)\]/g, ".$1")
    .split(".");
  const input = known.get("json")?.value;
  let value = known.get(keys[0])?.value ?? memberOf(input, keys[0]);
  for (const key of keys.slice(1)) value = memberOf(value, key);
  return members(value);
}

function memberOf(value: Json | undefined, key: string): Json | undefined {
  if (value === null || typeof value !== "object") return undefined;
  if (Array.isArray(value)) return value[Number(key)];
  return Object.hasOwn(value, key) ? value[key] : undefined;
}

function members(value: Json | undefined): Completion[] {
  if (Array.isArray(value)) return [{ label: "length", detail: String(value.length) }];
  if (value === null || typeof value !== "object") return [];
  return Object.entries(value)
    .filter(([key]) => /^[A-Za-z_][\w-]*$/.test(key))
    .map(([label, member]) => ({ label, detail: shortly(member) }));
}

function shortly(value: Json): string {
  const kind = kindOf(value);
  if (kind === "object") return "object";
  if (kind === "list") return `list of ${(value as Json[]).length}`;
  const text = String(value);
  return text.length > 28 ? `${text.slice(0, 28)}…` : text;
}

/** The names that are there whatever has run. */
export function knownNames(
  graph: Graph,
  nodeId: string,
): Map<string, { value: Json | undefined; detail: string }> {
  const known = new Map<string, { value: Json | undefined; detail: string }>();
  for (const id of upstreamOf(graph, nodeId)) {
    const node = nodeOf(graph, id);
    if (node) known.set(id, { value: undefined, detail: titleOf(node) });
  }
  if (nodeOf(graph, nodeId)?.parentId !== undefined) {
    known.set("item", { value: undefined, detail: "what this iteration works on" });
    known.set("index", { value: undefined, detail: "its number, from 0" });
  }
  known.set("json", { value: undefined, detail: "the input" });
  known.set("trigger", { value: undefined, detail: "what started the run" });
  known.set("vars", { value: (graph.rest.vars ?? undefined) as Json | undefined, detail: "variables" });
  known.set("secrets", { value: undefined, detail: "secrets" });
  known.set("credentials", { value: undefined, detail: "credentials" });
  known.set("execution", {
    value: { id: "", workflowId: "", workflowName: "", startedAt: 0, trigger: "", parentExecutionId: "" },
    detail: "this run",
  });
  return known;
}
