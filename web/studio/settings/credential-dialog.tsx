/** A credential's form: made from the schema of its type. */

import { useId, useState } from "react";
import { PlainFieldView } from "../../inspector/plain-field.tsx";
import type { JsonObject } from "../../protocol/document.ts";
import { useServices } from "../services.tsx";
import {
  type Credential,
  type CredentialType,
  faultsOf,
  fieldsOf,
  saidOf,
  sentOf,
} from "./credential-types.ts";
import { FormDialog, useChange } from "./forms.tsx";
import { NameField, nameFault } from "./name-field.tsx";

const TITLES: Readonly<Record<string, string>> = {
  smtp: "Mail server (SMTP)",
  postgresql: "PostgreSQL",
  redis: "Redis",
  openai: "OpenAI, or what speaks like it",
  http_basic: "HTTP: name and password",
  http_bearer: "HTTP: bearer token",
  http_header: "HTTP: a header",
};

export function titleOfType(type: string): string {
  return TITLES[type] ?? type;
}

interface CredentialDialogProps {
  /** Null for a new one. */
  readonly credential: Credential | null;
  readonly types: readonly CredentialType[];
  /** The type that a new one has at first. */
  readonly wanted: string | undefined;
  readonly taken: readonly string[];
  close(): void;
}

export function CredentialDialog({ credential, types, wanted, taken, close }: CredentialDialogProps) {
  const { api } = useServices();
  const [name, setName] = useState(credential?.name ?? "");
  const first = types.find((one) => one.type === wanted) ?? types[0];
  const [type, setType] = useState(credential?.type ?? first.type);
  const [values, setValues] = useState<JsonObject>(credential?.fields ?? {});
  const [tried, setTried] = useState(false);
  const typeField = useId();
  const kind = types.find((one) => one.type === type) ?? types[0];
  const fields = fieldsOf(kind);
  const kept = (credential?.type === type && credential.secretFieldsSet) || [];
  const change = useChange(
    () =>
      api.send("PUT", `/api/credentials/${encodeURIComponent(name)}`, {
        type,
        fields: sentOf(fields, values),
      }),
    "credentials",
    close,
  );
  const wrongName =
    nameFault(name) ||
    (!credential && taken.includes(name) ? "There is one of that name: change it instead" : "");
  const faults = faultsOf(fields, values, kept);
  const said = change.error ? saidOf(fields, change.error.message) : {};
  return (
    <FormDialog
      title={credential ? `Change ${credential.name}` : "Add a credential"}
      button="Keep it"
      busy={change.isPending}
      error={said[""] ?? ""}
      submit={() => {
        setTried(true);
        if (!wrongName && !Object.keys(faults).length) change.mutate(undefined);
      }}
      close={close}
    >
      {!credential && (
        <NameField
          name={name}
          help="Nodes take it by this name"
          fault={tried ? wrongName : ""}
          change={setName}
        />
      )}
      {!credential && (
        <div className="space-y-1">
          <label htmlFor={typeField} className="text-xs font-medium">
            Type
          </label>
          <select
            id={typeField}
            className="rev-input"
            value={type}
            onChange={(event) => {
              setType(event.target.value);
              setValues({});
              setTried(false);
              change.reset();
            }}
          >
            {types.map((one) => (
              <option key={one.type} value={one.type}>
                {titleOfType(one.type)}
              </option>
            ))}
          </select>
        </div>
      )}
      <p className="text-xs text-muted">{kind.description.replace(/`/g, "")}</p>
      {fields.map((field) => {
        const has = kept.includes(field.name);
        return (
          <PlainFieldView
            key={`${type}.${field.name}`}
            field={
              has
                ? { ...field, required: false, placeholder: "Set; leave it empty to keep it" }
                : { ...field, placeholder: field.secret ? "" : field.placeholder }
            }
            value={values[field.name] ?? (field.kind === "select" ? field.fallback : undefined)}
            fault={(tried ? faults[field.name] : "") || said[field.name] || ""}
            change={(next) => setValues((last) => ({ ...last, [field.name]: next }))}
          />
        );
      })}
    </FormDialog>
  );
}
