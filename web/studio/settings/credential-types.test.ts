import { expect, test } from "vitest";
import { faultsOf, fieldsOf, saidOf, sentOf } from "./credential-types.ts";

const fields = fieldsOf({
  type: "smtp",
  description: "A mail server.",
  schema: {
    required: ["host"],
    properties: {
      host: { type: "string", minLength: 1 },
      port: { type: "integer", default: 587 },
      security: { type: "string", enum: ["starttls", "tls"], default: "starttls" },
      password: { type: "string", format: "password", writeOnly: true } as object,
    },
  },
});

test("a type's schema is a form, its secrets apart", () => {
  expect(fields.map((field) => [field.name, field.kind, field.secret])).toEqual([
    ["host", "text", false],
    ["port", "number", false],
    ["security", "select", false],
    ["password", "password", true],
  ]);
});

test("what is left empty is not sent, so that a secret keeps its value", () => {
  expect(sentOf(fields, { host: "h", port: "25", password: "" })).toEqual({ host: "h", port: 25 });
});

test("what is needed and missing is said at its field, unless it is kept already", () => {
  expect(faultsOf(fields, { port: "2.5" }, [])).toEqual({
    host: "This is needed",
    port: "Must be a whole number",
  });
  const [secret] = fields.slice(3).map((field) => ({ ...field, required: true }));
  expect(faultsOf([secret], {}, ["password"])).toEqual({});
});

test("the server's sentence comes apart by field", () => {
  expect(saidOf(fields, "port: Input should be less; nothing of a field")).toEqual({
    port: "Input should be less",
    "": "nothing of a field",
  });
});
