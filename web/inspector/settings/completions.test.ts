import { expect, test } from "vitest";
import type { Graph } from "../../canvas/graph.ts";
import { completionsOf, knownNames, typedAt, upstreamOf } from "./completions.ts";

const node = (id: string, parentId?: string) => ({
  id,
  data: { type: "noop" },
  ...(parentId ? { parentId } : {}),
});
const edge = (source: string, target: string) => ({ id: `${source}-${target}`, source, target });
const GRAPH: Graph = {
  rest: { id: "w", vars: { limit: 5 } },
  nodes: [node("start"), node("order"), node("each"), node("inside", "each"), node("after"), node("other")],
  edges: [edge("start", "order"), edge("order", "each"), edge("each", "after")],
};

test("upstream are the nodes that lead here, nearest first, through the wall of a container", () => {
  expect(upstreamOf(GRAPH, "after")).toEqual(["each", "order", "start"]);
  expect(upstreamOf(GRAPH, "inside")).toEqual(["order", "start"]);
  expect(upstreamOf(GRAPH, "start")).toEqual([]);
});

test("a path is completed where the caret is in an expression, and nowhere else", () => {
  const at = (text: string) => typedAt(text.replace("|", ""), text.indexOf("|"));
  expect(at("hello {{ ord|")).toEqual({ path: "ord", from: 9 });
  expect(at("{{ order.items[0].s| }}")).toEqual({ path: "order.items[0].s", from: 3 });
  expect(at("{{ a }} ord|")).toBeNull();
  expect(at("ord|")).toBeNull();
  expect(at('{{ "ord| }}')).toBeNull();
});

test("names, then members of what they stood for", () => {
  const known = knownNames(GRAPH, "inside");
  known.set("order", { value: { items: [{ sku: "A-1" }], total: 3, "odd key": 1 }, detail: "order" });
  known.set("json", { value: { customer: "Ada" }, detail: "the input" });
  const labels = (path: string) => completionsOf(known, path).map(({ label }) => label);
  expect(labels("")).toContain("customer");
  expect(labels("")).toContain("item");
  expect(labels("ord")).toEqual(["order"]);
  expect(labels("order.")).toEqual(["items", "total"]);
  expect(labels("order.items[0].")).toEqual(["sku"]);
  expect(labels("vars.")).toEqual(["limit"]);
  expect(labels("nothing.")).toEqual([]);
});
