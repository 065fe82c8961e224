import { expect, test } from "vitest";
import type { NodeType, Schema } from "../../protocol/document.ts";
import { faultOf, fieldsOf, read, titleOf, written } from "./fields.ts";

function type(
  properties: Record<string, Schema>,
  more: Partial<Schema> = {},
  rawFields: string[] = [],
): NodeType {
  return { schema: { type: "object", properties, ...more }, rawFields } as unknown as NodeType;
}

test("each kind of schema has its control", () => {
  const fields = fieldsOf(
    type(
      {
        url: { type: "string" },
        body: { type: "string" },
        sql: { type: "string" },
        count: { type: "integer", minimum: 1 },
        on: { type: "boolean", default: false },
        method: { enum: ["GET", "POST"], type: "string" },
        tags: { type: "array", items: { type: "string" } },
        headers: { type: "object", additionalProperties: { type: "string" } },
        cases: { type: "array", items: { $ref: "#/$defs/Case" } },
        wait: { anyOf: [{ type: "string" }, { type: "number" }, { type: "null" }], default: null },
        limit: { anyOf: [{ type: "integer" }, { type: "null" }], default: null },
        login: { type: "string", credentialTypes: ["smtp"] },
        anything: {},
      },
      { required: ["url"], $defs: { Case: { type: "object", properties: { value: {} } } } },
      ["sql"],
    ),
  );
  expect(Object.fromEntries(fields.map((field) => [field.name, field.kind]))).toEqual({
    url: "text",
    body: "long",
    sql: "code",
    count: "number",
    on: "boolean",
    method: "choice",
    tags: "texts",
    headers: "pairs",
    cases: "rows",
    wait: "text",
    limit: "number",
    login: "credential",
    anything: "any",
  });
  expect(fields[0].required).toBe(true);
  expect(fields.find((field) => field.name === "sql")?.templated).toBe(false);
  expect(fields.find((field) => field.name === "cases")?.fields.map((field) => field.name)).toEqual([
    "value",
  ]);
});

test("faults are told beside the field, expressions are left to the server", () => {
  const [url, count, raw] = fieldsOf(
    type(
      {
        url: { type: "string", maxLength: 5 },
        count: { type: "integer", minimum: 1 },
        raw: { type: "integer" },
      },
      { required: ["url"] },
      ["raw"],
    ),
  );
  expect(faultOf(url, undefined)).toBe("This is needed");
  expect(faultOf(url, "123456")).toContain("at most 5");
  expect(faultOf(url, "{{ a }}{{ b }}")).toBe("");
  expect(faultOf(url, "{{ a ")).toContain("not closed");
  expect(faultOf(count, 0)).toContain("at least 1");
  expect(faultOf(count, 1.5)).toContain("whole");
  expect(faultOf(count, "{{ n }}")).toBe("");
  expect(faultOf(raw, "{{ n }}")).toContain("number");
});

test("what is typed into a field of any type comes back as it was", () => {
  for (const value of [1, true, "text", "1", "null", [1, 2], { a: "b" }, "{{ json.a }}", "two words"])
    expect(read(written(value))).toEqual(value);
  expect(read("  ")).toBeUndefined();
  expect(titleOf("followRedirects")).toBe("Follow redirects");
});
