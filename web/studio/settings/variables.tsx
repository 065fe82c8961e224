/** Variables: plain values of any JSON, that all workflows can read. */

import { useQuery } from "@tanstack/react-query";
import { Plus, Trash2 } from "lucide-react";
import { useId, useState } from "react";
import { useScope } from "../../execution/react/scope.ts";
import { keepKeys } from "../../inspector/plain-field.tsx";
import type { Json, JsonObject } from "../../protocol/document.ts";
import { useServices } from "../services.tsx";
import { DeleteDialog, FormDialog, useChange } from "./forms.tsx";
import { NameField, nameFault } from "./name-field.tsx";
import { Code } from "./secrets.tsx";
import { Asked, Empty, Row, Rows, Section } from "./section.tsx";
import { readValue, writeValue } from "./variable-text.ts";

type Open =
  | { readonly what: "set"; readonly name: string; readonly value: Json | undefined }
  | { readonly what: "delete"; readonly name: string };

export function VariablesSection() {
  const { api } = useServices();
  const { mayEdit } = useScope(api);
  const variables = useQuery({
    queryKey: ["variables"],
    queryFn: async () => (await api.get<{ variables: JsonObject }>("/api/variables")).variables,
  });
  const [open, setOpen] = useState<Open | null>(null);
  const close = () => setOpen(null);
  return (
    <Section
      title="Variables"
      about={
        <>
          Plain values of no workflow in particular, read as <Code>{"{{ vars.name }}"}</Code>. A workflow's
          own go first.{!mayEdit && " To change them takes a key of scope editor."}
        </>
      }
      action={
        mayEdit &&
        variables.data && (
          <button
            type="button"
            className="rev-button rev-button-primary"
            onClick={() => setOpen({ what: "set", name: "", value: undefined })}
          >
            <Plus size={15} aria-hidden /> Add a variable
          </button>
        )
      }
    >
      <Asked query={variables} what="variables">
        {(found) =>
          Object.keys(found).length === 0 ? (
            <Empty title="There are no variables yet">
              What several workflows share, such as a region, a limit or an address, is kept here once.
            </Empty>
          ) : (
            <Rows label="Variables">
              {Object.entries(found).map(([name, value]) => (
                <Row
                  key={name}
                  name={<Code>{name}</Code>}
                  actions={
                    mayEdit && (
                      <>
                        <button
                          type="button"
                          className="rev-button rev-button-small"
                          aria-label={`Change ${name}`}
                          onClick={() => setOpen({ what: "set", name, value })}
                        >
                          Change
                        </button>
                        <button
                          type="button"
                          className="rev-button rev-button-small rev-button-icon rev-button-danger"
                          aria-label={`Delete ${name}`}
                          title="Delete"
                          onClick={() => setOpen({ what: "delete", name })}
                        >
                          <Trash2 size={13} aria-hidden />
                        </button>
                      </>
                    )
                  }
                >
                  <code className="line-clamp-2 font-mono break-all">{JSON.stringify(value)}</code>
                </Row>
              ))}
            </Rows>
          )
        }
      </Asked>
      {open?.what === "set" && <VariableDialog {...open} taken={variables.data ?? {}} close={close} />}
      {open?.what === "delete" && <VariableDeletion name={open.name} close={close} />}
    </Section>
  );
}

interface VariableDialogProps {
  readonly name: string;
  readonly value: Json | undefined;
  readonly taken: JsonObject;
  close(): void;
}

function VariableDialog({ name: given, value, taken, close }: VariableDialogProps) {
  const { api } = useServices();
  const [name, setName] = useState(given);
  const [text, setText] = useState(() => (value === undefined ? "" : writeValue(value)));
  const [tried, setTried] = useState(false);
  const id = useId();
  const parsed = readValue(text);
  const change = useChange(
    () => api.send("PUT", `/api/variables/${encodeURIComponent(name)}`, parsed),
    "variables",
    close,
  );
  const wrongName = nameFault(name) || (!given && name in taken ? "There is one of that name" : "");
  const wrongValue = parsed ? "" : "This is no JSON";
  return (
    <FormDialog
      title={given ? `Change ${given}` : "Add a variable"}
      button="Keep it"
      busy={change.isPending}
      error={change.error?.message ?? ""}
      submit={() => {
        setTried(true);
        if (!wrongName && !wrongValue) change.mutate(undefined);
      }}
      close={close}
    >
      {!given && (
        <NameField
          name={name}
          help={name ? `Workflows read it as {{ vars.${name} }}` : "Such as region"}
          fault={tried ? wrongName : ""}
          change={setName}
        />
      )}
      <div className="space-y-1">
        <label htmlFor={id} className="text-xs font-medium">
          Value
        </label>
        <textarea
          id={id}
          rows={Math.min(16, Math.max(5, text.split("\n").length))}
          className="rev-input h-auto resize-y py-1.5 font-mono text-xs"
          spellCheck={false}
          value={text}
          aria-invalid={wrongValue !== ""}
          aria-describedby={`${id}-notes`}
          onKeyDown={keepKeys}
          onChange={(event) => setText(event.target.value)}
        />
        <p id={`${id}-notes`} className={`text-xs ${wrongValue ? "text-error-ink" : "text-muted"}`}>
          {parsed ? `JSON; anything else is a text. It is kept as ${kindOf(parsed.value)}.` : wrongValue}
        </p>
      </div>
    </FormDialog>
  );
}

function kindOf(value: Json): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  switch (typeof value) {
    case "object":
      return "an object";
    case "number":
      return "a number";
    case "boolean":
      return "true or false";
    default:
      return "a text";
  }
}

function VariableDeletion({ name, close }: { name: string; close: () => void }) {
  const { api } = useServices();
  const change = useChange<void>(
    () => api.send("DELETE", `/api/variables/${encodeURIComponent(name)}`),
    "variables",
    close,
  );
  return (
    <DeleteDialog title={`Delete ${name}?`} change={change} close={close}>
      Expressions that read <Code>{`vars.${name}`}</Code> fail from then on.
    </DeleteDialog>
  );
}
