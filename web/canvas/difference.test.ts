import { describe, expect, it } from "vitest";
import { differences } from "./difference.ts";
import { Editor } from "./editor.ts";
import { graphOf } from "./graph.ts";

const before = graphOf({
  id: "w",
  name: "W",
  nodes: [
    { id: "a", position: { x: 0, y: 0 }, data: { type: "noop", label: "A", config: {} } },
    {
      id: "b",
      position: { x: 300, y: 0 },
      data: { type: "http_request", label: "B", config: { url: "one", headers: { x: "1" } } },
    },
  ],
  edges: [{ id: "e", source: "a", target: "b" }],
});

describe("differences", () => {
  it("are none between a graph and its copy", () => {
    expect(differences(before, structuredClone(before))).toEqual([]);
  });

  it("name what came, went, moved and was changed, down to the field", () => {
    const editor = new Editor(before);
    editor.setConfig("b", "url", "two");
    editor.setConfig("b", "headers", { x: "2" });
    editor.move(new Map([["a", { x: 12, y: 0 }]]));
    editor.add([{ id: "c", data: { type: "noop", label: "C" } }]);
    editor.connect({ source: "b", target: "c", sourceHandle: "error" });
    editor.remove([], ["e"]);
    editor.rename("V");
    const found = differences(before, editor.graph);
    expect(found.map(({ kind, what, title }) => `${kind} ${what} ${title}`)).toEqual([
      "changed workflow V",
      "moved node A",
      "changed node B",
      "added node C",
      "added edge b (error) → c",
      "removed edge a → b",
    ]);
    expect(found[2].fields).toEqual([
      { field: "config.url", before: "one", after: "two" },
      { field: "config.headers.x", before: "1", after: "2" },
    ]);
  });
});
