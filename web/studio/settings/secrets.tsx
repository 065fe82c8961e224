/** Secrets: kept, replaced, deleted; never shown. */

import { useQuery } from "@tanstack/react-query";
import { Plus, Trash2 } from "lucide-react";
import { useState } from "react";
import { PlainFieldView } from "../../inspector/plain-field.tsx";
import { ago } from "../../theme/format.ts";
import { useServices } from "../services.tsx";
import { DeleteDialog, FormDialog, useChange } from "./forms.tsx";
import { NameField, nameFault } from "./name-field.tsx";
import { Asked, Empty, Row, Rows, Section } from "./section.tsx";
import { type User, Users, usersWarning } from "./users.tsx";

interface Secret {
  readonly name: string;
  /** What the environment gives goes first, and cannot be changed here. */
  readonly source: "environment" | "library";
  readonly createdAt?: string;
  readonly updatedAt?: string;
  readonly usedBy: readonly User[];
}

type Open =
  | { readonly what: "set"; readonly name: string }
  | { readonly what: "delete"; readonly secret: Secret };

export function SecretsSection() {
  const { api } = useServices();
  const secrets = useQuery({
    queryKey: ["secrets"],
    queryFn: async () => (await api.get<{ secrets: Secret[] }>("/api/secrets")).secrets,
  });
  const [open, setOpen] = useState<Open | null>(null);
  const close = () => setOpen(null);
  return (
    <Section
      title="Secrets"
      about={
        <>
          Sealed values that workflows read as <Code>{"{{ secrets.name }}"}</Code>. They go in and never come
          out: nodes' outputs and logs have them blotted out.
        </>
      }
      action={
        secrets.data && (
          <button
            type="button"
            className="rev-button rev-button-primary"
            onClick={() => setOpen({ what: "set", name: "" })}
          >
            <Plus size={15} aria-hidden /> Add a secret
          </button>
        )
      }
    >
      <Asked query={secrets} what="secrets">
        {(rows) =>
          rows.length === 0 ? (
            <Empty title="There are no secrets yet">
              Add one here, or with <Code>flowscope secrets set NAME</Code>, and use it in any setting of a
              node.
            </Empty>
          ) : (
            <Rows label="Secrets">
              {rows.map((row) => (
                <Row
                  key={row.name}
                  name={<Code>{row.name}</Code>}
                  actions={
                    <>
                      {row.source === "library" && (
                        <button
                          type="button"
                          className="rev-button rev-button-small"
                          aria-label={`Replace ${row.name}`}
                          onClick={() => setOpen({ what: "set", name: row.name })}
                        >
                          Replace
                        </button>
                      )}
                      {row.createdAt && (
                        <button
                          type="button"
                          className="rev-button rev-button-small rev-button-icon rev-button-danger"
                          aria-label={`Delete ${row.name}`}
                          title="Delete"
                          onClick={() => setOpen({ what: "delete", secret: row })}
                        >
                          <Trash2 size={13} aria-hidden />
                        </button>
                      )}
                    </>
                  }
                >
                  {row.source === "environment"
                    ? "Given by the server's environment, which goes first; it is changed there"
                    : row.updatedAt && `Set ${ago(row.updatedAt)}`}
                  {" · "}
                  <Users users={row.usedBy} />
                </Row>
              ))}
            </Rows>
          )
        }
      </Asked>
      {open?.what === "set" && (
        <SecretDialog name={open.name} taken={secrets.data?.map((row) => row.name) ?? []} close={close} />
      )}
      {open?.what === "delete" && <SecretDeletion secret={open.secret} close={close} />}
    </Section>
  );
}

function SecretDialog({
  name: given,
  taken,
  close,
}: {
  name: string;
  taken: readonly string[];
  close: () => void;
}) {
  const { api } = useServices();
  const [name, setName] = useState(given);
  const [value, setValue] = useState("");
  const [tried, setTried] = useState(false);
  const change = useChange(
    () => api.send("PUT", `/api/secrets/${encodeURIComponent(name)}`, { value }),
    "secrets",
    close,
  );
  const wrongName =
    nameFault(name) ||
    (!given && taken.includes(name) ? "There is one of that name: replace it instead" : "");
  const wrongValue = value.length < 4 ? "A secret has at least 4 characters" : "";
  return (
    <FormDialog
      title={given ? `Replace ${given}` : "Add a secret"}
      button={given ? "Replace" : "Keep it"}
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
          help={name ? `Workflows read it as {{ secrets.${name} }}` : "Such as shop_token"}
          fault={tried ? wrongName : ""}
          change={setName}
        />
      )}
      <PlainFieldView
        field={{
          name: "value",
          label: given ? "New value" : "Value",
          kind: "password",
          required: true,
          help: "It is sealed, and nobody can read it here again. Attempts that start from now on get it.",
          options: [],
        }}
        value={value}
        fault={tried ? wrongValue : ""}
        change={(next) => setValue(String(next))}
      />
    </FormDialog>
  );
}

function SecretDeletion({ secret: { name, usedBy }, close }: { secret: Secret; close: () => void }) {
  const { api } = useServices();
  const change = useChange<void>(
    () => api.send("DELETE", `/api/secrets/${encodeURIComponent(name)}`),
    "secrets",
    close,
  );
  return (
    <DeleteDialog title={`Delete ${name}?`} change={change} close={close}>
      {usersWarning(usedBy)} It cannot be brought back.
    </DeleteDialog>
  );
}

export function Code({ children }: { children: React.ReactNode }) {
  return <code className="font-mono text-[0.95em]">{children}</code>;
}
