import { expect, test } from "vitest";
import { joined, MOST_MEMBERS, rowsOf, search, tableOf } from "./json-rows.ts";

const VALUE = { a: { "b c": [1, { d: "needle" }] }, e: null };

test("only what is open has rows, and paths are what an expression would write", () => {
  expect(rowsOf(VALUE, "node", () => false).map((row) => row.path)).toEqual(["node"]);
  expect(rowsOf(VALUE, "node", () => true).map((row) => row.path)).toEqual([
    "node",
    "node.a",
    'node.a["b c"]',
    'node.a["b c"][0]',
    'node.a["b c"][1]',
    'node.a["b c"][1].d',
    "node.e",
  ]);
  expect(joined("", "x")).toBe("x");
});

test("a search finds keys and values, and the way to them", () => {
  const { hits, way } = search(VALUE, "node", "NEEDLE");
  expect([...hits]).toEqual(['node.a["b c"][1].d']);
  expect([...way].sort()).toEqual(["node", "node.a", 'node.a["b c"]', 'node.a["b c"][1]'].sort());
  expect(search(VALUE, "node", "b c").hits.size).toBe(1);
  expect(search(VALUE, "node", "nothing").hits.size).toBe(0);
});

test("very long lists end in a row that says how much more there is", () => {
  const rows = rowsOf(
    Array.from({ length: MOST_MEMBERS + 7 }, (_, n) => n),
    "x",
    () => true,
  );
  expect(rows).toHaveLength(MOST_MEMBERS + 2);
  expect(rows.at(-1)).toMatchObject({ kind: "more", text: "7 more" });
});

test("a list of objects is a table, anything else is not", () => {
  expect(tableOf([{ a: 1 }, { b: 2 }])?.columns).toEqual(["a", "b"]);
  for (const value of [[], [1], [{ a: 1 }, null], { a: 1 }, "x", [[1]]]) expect(tableOf(value)).toBeNull();
});
