import { describe, expect, it } from "vitest";
import type { WorkflowDocument, WorkflowNode } from "../protocol/document.ts";
import { graphOf } from "./graph.ts";
import { arrange, tidied, tidy } from "./layout.ts";

function graph(nodes: (string | [string, string])[], edges: string[]) {
  const document: WorkflowDocument = {
    id: "w",
    nodes: nodes.map((one): WorkflowNode => {
      const [id, parentId] = typeof one === "string" ? [one, undefined] : one;
      return { id, data: { type: "noop" }, ...(parentId ? { parentId } : {}) };
    }),
    edges: edges.map((text) => {
      const [source, target] = text.split(">");
      return { id: text, source, target };
    }),
  };
  return graphOf(document);
}

describe("the layout", () => {
  it("leads from left to right along the longest way", () => {
    const boxes = arrange(graph(["a", "b", "c", "d"], ["a>b", "b>c", "a>c", "c>d"]));
    const x = (id: string) => boxes.get(id)!.x;
    expect(x("a")).toBeLessThan(x("b"));
    expect(x("b")).toBeLessThan(x("c"));
    expect(x("c")).toBeLessThan(x("d"));
  });

  it("puts nothing over anything, and bodies into their containers", () => {
    const nodes: (string | [string, string])[] = ["a", "m", ["x", "m"], ["y", "m"], ["z", "m"], "b"];
    const boxes = arrange(graph(nodes, ["a>m", "m>b", "x>y", "x>z"]));
    const list = [...boxes.entries()];
    const parent = (id: string) => (["x", "y", "z"].includes(id) ? "m" : "");
    for (const [one, a] of list) {
      for (const [two, b] of list) {
        if (one >= two || parent(one) !== parent(two)) continue;
        const apart =
          a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;
        expect(apart, `${one} ${two}`).toBe(true);
      }
    }
    const m = boxes.get("m")!;
    for (const id of ["x", "y", "z"]) {
      const box = boxes.get(id)!;
      expect(box.x + box.width).toBeLessThan(m.width);
      expect(box.y + box.height).toBeLessThan(m.height);
    }
  });

  it("arranges what goes round in circles too", () => {
    expect(arrange(graph(["a", "b", "c"], ["a>b", "b>c", "c>b"])).size).toBe(3);
  });

  it("leaves alone what has its places", () => {
    const placed = tidy(graph(["a", "b"], ["a>b"]));
    expect(tidied(placed)).toBe(placed);
    expect(tidied(graph(["a", "b"], ["a>b"])).nodes[1].position).toEqual({ x: 312, y: 0 });
  });

  it("arranges 5,000 nodes", () => {
    const names = Array.from({ length: 5_000 }, (_, n) => `n${n}`);
    const edges = names.slice(50).map((id, n) => `${names[n + ((n * 7) % 50 > 48 ? 1 : 0)]}>${id}`);
    expect(arrange(graph(names, edges)).size).toBe(5_000);
  });
});
