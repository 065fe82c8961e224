/** A node type's JSON Schema as the fields of a form. */

import type { Json, JsonObject, NodeType, Schema } from "../../protocol/document.ts";

export type FieldKind =
  | "text" //      one line, expressions allowed
  | "long" //      many lines
  | "code" //      a language's
  | "number"
  | "boolean"
  | "choice"
  | "credential" // the name of one that is kept
  | "texts" //     a list of texts
  | "pairs" //     an object of any keys
  | "group" //     an object of known keys
  | "rows" //      a list of groups
  | "any"; //      JSON, or an expression

export interface Field {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly kind: FieldKind;
  readonly required: boolean;
  readonly fallback: Json | undefined;
  /** Expressions in it are worked out. */
  readonly templated: boolean;
  readonly choices: readonly Json[];
  readonly schema: Schema;
  /** Of a group, or of each row. */
  readonly fields: readonly Field[];
}

export function fieldsOf(type: NodeType): Field[] {
  return membersOf(type.schema, type.schema.$defs ?? {}, new Set(type.rawFields), 0);
}

const DEEPEST = 4;

function membersOf(
  schema: Schema,
  defs: Record<string, Schema>,
  raw: ReadonlySet<string>,
  depth: number,
): Field[] {
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties ?? {}).map(([name, given]) => {
    const found = resolved(given, defs);
    const kind = depth >= DEEPEST ? "any" : kindOf(name, found, defs);
    const inside = kind === "rows" ? resolved(found.items ?? {}, defs) : found;
    return {
      name,
      title: titleOf(name),
      description: given.description ?? found.description ?? "",
      kind,
      required: required.has(name),
      fallback: given.default ?? found.default,
      templated: !raw.has(name),
      choices: found.enum ?? [],
      schema: found,
      fields: kind === "group" || kind === "rows" ? membersOf(inside, defs, raw, depth + 1) : [],
    };
  });
}

/** What a `$ref`, or one of two of which the other is null, comes to. */
function resolved(schema: Schema, defs: Record<string, Schema>): Schema {
  if (schema.$ref !== undefined) return resolved(defs[schema.$ref.split("/").at(-1)!] ?? {}, defs);
  const options = (schema.anyOf ?? schema.oneOf)?.filter((one) => one.type !== "null");
  return options?.length === 1 ? { ...resolved(options[0], defs), ...withoutOptions(schema) } : schema;
}

function withoutOptions({ anyOf: _, oneOf: __, ...rest }: Schema): Schema {
  return rest;
}

const CODE = /^(code|script|sql|query|jsonata|javascript|python|expression_code)$/i;
const LONG = /^(body|message|prompt|system|template|text|content|instructions|html|markdown|description)$/i;
const MUCH = 1_000;

function kindOf(name: string, schema: Schema, defs: Record<string, Schema>): FieldKind {
  if (schema.enum) return "choice";
  if (schema.credentialTypes) return "credential";
  switch (schema.type) {
    case "boolean":
      return "boolean";
    case "integer":
    case "number":
      return "number";
    case "string":
      if (CODE.test(name)) return "code";
      return LONG.test(name) || (schema.maxLength ?? 0) >= MUCH ? "long" : "text";
    case "array": {
      const items = resolved(schema.items ?? {}, defs);
      if (items.properties) return "rows";
      return items.type === "string" ? "texts" : "any";
    }
    case "object":
      if (schema.properties) return "group";
      return schema.additionalProperties === false ? "any" : "pairs";
    default:
      return optionsKind(schema);
  }
}

/** Of several types: a text where one of them is, because numbers and durations are written as such. */
function optionsKind(schema: Schema): FieldKind {
  const types = new Set((schema.anyOf ?? schema.oneOf ?? []).map((one) => one.type));
  if (types.has("string") && !types.has("array") && !types.has("object")) return "text";
  return "any";
}

/** `followRedirects` → `Follow redirects` */
export function titleOf(name: string): string {
  const words = name
    .replace(/_/g, " ")
    .replace(/([a-z\d])([A-Z])/g, (_, a: string, b: string) => `${a} ${b.toLowerCase()}`);
  return words[0].toUpperCase() + words.slice(1);
}

export function isExpression(value: Json | undefined): value is string {
  return typeof value === "string" && /(^|[^\\])\{\{/.test(value);
}

/** What is wrong with a value, before the server says so; empty if nothing. */
export function faultOf(field: Field, value: Json | undefined): string {
  if (value === undefined || value === null || value === "") return field.required ? "This is needed" : "";
  if (field.templated && isExpression(value)) return unbalanced(value);
  const { minimum, maximum, minLength, maxLength } = field.schema;
  if (field.kind === "number") {
    if (typeof value !== "number" || Number.isNaN(value))
      return "Must be a number, or an expression in {{ }}";
    if (field.schema.type === "integer" && !Number.isInteger(value)) return "Must be a whole number";
    if (minimum !== undefined && value < minimum) return `Must be at least ${minimum}`;
    if (maximum !== undefined && value > maximum) return `Must be at most ${maximum}`;
  }
  if (field.kind === "choice" && !field.choices.includes(value))
    return `Must be one of ${field.choices.join(", ")}`;
  if (typeof value === "string") {
    if (minLength !== undefined && value.length < minLength)
      return `Must have at least ${minLength} characters`;
    if (maxLength !== undefined && value.length > maxLength)
      return `Must have at most ${maxLength} characters`;
  }
  return "";
}

function unbalanced(text: string): string {
  const opened = text.split("{{").length;
  const closed = text.split("}}").length;
  return opened > closed ? "An expression is not closed: }} is missing" : "";
}

/** What somebody typed into a field of any type: JSON where it is JSON, else the text. */
export function read(text: string): Json | undefined {
  if (text.trim() === "") return undefined;
  if (isExpression(text)) return text;
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}

export function written(value: Json | undefined): string {
  if (value === undefined || value === null) return "";
  if (typeof value !== "string") return JSON.stringify(value, null, 2);
  // A text that would be read as something else is put in quotes.
  return isExpression(value) || read(value) === value ? value : JSON.stringify(value);
}

/** Settings that every node has, in the order in which they are shown. */
export const POLICY = ["retry", "timeout", "continueOnError"] as const;

/** A config without what the form shows in places of its own. */
export function unknownKeys(config: JsonObject, fields: readonly Field[]): string[] {
  const known = new Set<string>([...fields.map((field) => field.name), ...POLICY]);
  return Object.keys(config).filter((key) => !known.has(key));
}
