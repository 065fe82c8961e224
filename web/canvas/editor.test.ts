import { describe, expect, it } from "vitest";
import type { WorkflowDocument, WorkflowNode } from "../protocol/document.ts";
import { Editor } from "./editor.ts";
import { documentOf, graphOf } from "./graph.ts";
import { byNode, located } from "./problems.ts";

function node(id: string, parentId?: string): WorkflowNode {
  return {
    id,
    position: { x: 0, y: 0 },
    data: { type: "noop", label: id.toUpperCase(), config: {} },
    ...(parentId ? { parentId } : {}),
  };
}

function editor(): Editor {
  const document: WorkflowDocument = {
    id: "w",
    name: "W",
    vars: { kept: true },
    nodes: [node("a"), node("b"), node("m"), node("x", "m")],
    edges: [{ id: "a->b", source: "a", target: "b" }],
  };
  return new Editor(graphOf(document));
}

const ids = (edited: Editor) => edited.graph.nodes.map((one) => one.id);

describe("the editor", () => {
  it("undoes and redoes every change, and keeps what it does not know", () => {
    const edited = editor();
    const before = edited.graph;
    edited.remove(["m"]);
    expect(ids(edited)).toEqual(["a", "b"]);
    edited.undo();
    expect(edited.graph).toBe(before);
    edited.redo();
    expect(ids(edited)).toEqual(["a", "b"]);
    expect(documentOf(edited.graph).vars).toEqual({ kept: true });
  });

  it("makes one step of what is typed into one field", () => {
    const edited = editor();
    for (const url of ["h", "ht", "htt"]) edited.setConfig("a", "url", url);
    edited.setConfig("a", "method", "GET");
    edited.undo();
    expect(edited.graph.nodes[0].data.config).toEqual({ url: "htt" });
    edited.undo();
    expect(edited.graph.nodes[0].data.config).toEqual({});
    expect(edited.undoLabel).toBe("");
  });

  it("says why two nodes cannot be joined", () => {
    const edited = editor();
    expect(edited.connect({ source: "b", target: "a" })).toContain("circle");
    expect(edited.connect({ source: "a", target: "b" })).toContain("already");
    expect(edited.connect({ source: "a", target: "a" })).toContain("itself");
    expect(edited.connect({ source: "a", target: "x" })).toContain("wall");
    expect(edited.connect({ source: "b", target: "m", sourceHandle: "error" })).toBe("");
    expect(edited.graph.edges.at(-1)).toEqual({
      id: "b:error->m",
      source: "b",
      target: "m",
      sourceHandle: "error",
    });
  });

  it("pastes copies with their bodies and edges under new ids", () => {
    const edited = editor();
    const top = edited.paste(JSON.parse(JSON.stringify(edited.copy(["a", "b", "m"]))), { x: 36, y: 36 });
    expect(top).toEqual(["a2", "b2", "m2"]);
    expect(edited.graph.nodes.find((one) => one.id === "x2")?.parentId).toBe("m2");
    expect(edited.graph.edges.at(-1)).toMatchObject({ source: "a2", target: "b2" });
    expect(new Set(edited.graph.edges.map((edge) => edge.id)).size).toBe(edited.graph.edges.length);
  });

  it("changes nothing where nothing may be changed", () => {
    const edited = new Editor(editor().graph, true);
    const { graph } = edited;
    edited.remove(["a"]);
    edited.rename("other");
    expect(edited.graph).toBe(graph);
  });
});

describe("problems", () => {
  it("are those of nodes, wherever in them they are", () => {
    const { graph } = editor();
    const found = located(
      [
        { place: "nodes[1].data.config.url", message: "is missing", remedy: "" },
        { place: "edges[0].target", message: "odd", remedy: "" },
        { place: "", message: "all of it", remedy: "" },
      ],
      graph,
    );
    expect([...byNode(found).keys()]).toEqual(["b"]);
    expect(byNode(found).get("b")).toHaveLength(2);
  });
});
