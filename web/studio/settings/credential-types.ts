/** The types of credentials, as fields of a form. */

import type { Api } from "../../execution/api.ts";
import type { PlainField } from "../../inspector/plain-field.tsx";
import { titleOf } from "../../inspector/settings/fields.ts";
import type { Json, JsonObject, Schema } from "../../protocol/document.ts";
import type { User } from "./users.tsx";

export interface Credential {
  readonly name: string;
  readonly type: string;
  readonly updatedAt: string;
  /** Not where it cannot be opened; then `problem` says why. */
  readonly fields?: JsonObject;
  readonly secretFieldsSet?: readonly string[];
  readonly problem?: string;
  readonly usedBy: readonly User[];
}

interface SecretSchema extends Schema {
  readonly writeOnly?: boolean;
}

export interface CredentialType {
  readonly type: string;
  readonly description: string;
  readonly schema: Schema;
}

export async function typesOf(api: Api): Promise<CredentialType[]> {
  return (await api.get<{ types: CredentialType[] }>("/api/credential-types")).types;
}

export interface CredentialField extends PlainField {
  readonly secret: boolean;
  readonly fallback: Json | undefined;
  readonly integer: boolean;
}

export function fieldsOf(type: CredentialType): CredentialField[] {
  const required = new Set(type.schema.required ?? []);
  return Object.entries(type.schema.properties ?? {}).map(([name, schema]: [string, SecretSchema]) => ({
    name,
    label: titleOf(name),
    kind: kindOf(schema),
    required: required.has(name),
    help: schema.description ?? "",
    placeholder: schema.default === undefined ? "" : String(schema.default),
    options: (schema.enum ?? []).map(String),
    secret: schema.writeOnly === true,
    fallback: schema.default,
    integer: schema.type === "integer",
  }));
}

function kindOf(schema: SecretSchema): PlainField["kind"] {
  if (schema.writeOnly) return "password";
  if (schema.enum) return "select";
  if (schema.type === "boolean") return "boolean";
  return schema.type === "integer" || schema.type === "number" ? "number" : "text";
}

/** What is sent: a secret that is left empty is left out, and keeps the value it has; so is what has its default. */
export function sentOf(fields: readonly CredentialField[], values: JsonObject): JsonObject {
  const sent: JsonObject = {};
  for (const field of fields) {
    const value = values[field.name];
    if (value === undefined || value === null || value === "") continue;
    sent[field.name] = field.kind === "number" ? numberOf(value) : value;
  }
  return sent;
}

function numberOf(value: Json): Json {
  const number = Number(value);
  return Number.isNaN(number) ? value : number;
}

/** By field: what is wrong before the server is asked. `kept`: secrets that are there already. */
export function faultsOf(
  fields: readonly CredentialField[],
  values: JsonObject,
  kept: readonly string[],
): Record<string, string> {
  const faults: Record<string, string> = {};
  for (const field of fields) {
    const value = values[field.name];
    const empty = value === undefined || value === null || value === "";
    if (empty && field.required && !kept.includes(field.name)) faults[field.name] = "This is needed";
    else if (!empty && field.integer && !/^\d+$/.test(String(value)))
      faults[field.name] = "Must be a whole number";
  }
  return faults;
}

/** The server's sentence by field: `host: is required; port: must be …`. What is of no field is of "". */
export function saidOf(fields: readonly CredentialField[], message: string): Record<string, string> {
  const faults: Record<string, string> = {};
  for (const part of message.split("; ")) {
    const field = fields.find((one) => part.startsWith(`${one.name}: `));
    if (field) faults[field.name] = part.slice(field.name.length + 2);
    else faults[""] = faults[""] ? `${faults[""]}; ${part}` : part;
  }
  return faults;
}
