/** Credentials: what it takes to be let in somewhere, under one name; their secret fields never come back. */

import { useMutation, useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { PlugZap, Plus, Trash2 } from "lucide-react";
import { useState } from "react";
import { ago, duration } from "../../theme/format.ts";
import { StatusIcon } from "../../theme/status.tsx";
import { useServices } from "../services.tsx";
import { CredentialDialog, titleOfType } from "./credential-dialog.tsx";
import { type Credential, typesOf } from "./credential-types.ts";
import { DeleteDialog, useChange } from "./forms.tsx";
import { Code } from "./secrets.tsx";
import { Asked, Empty, Row, Rows, Section } from "./section.tsx";
import { Users, usersWarning } from "./users.tsx";

type Open =
  | { readonly what: "set"; readonly credential: Credential | null }
  | { readonly what: "delete"; readonly credential: Credential };

export function CredentialsSection() {
  const { api } = useServices();
  const query = useQuery({
    queryKey: ["credentials"],
    queryFn: async () => {
      const [{ credentials }, types] = await Promise.all([
        api.get<{ credentials: Credential[] }>("/api/credentials"),
        typesOf(api),
      ]);
      return { credentials, types };
    },
  });
  const { add } = useSearch({ from: "/settings/$section" });
  const navigate = useNavigate({ from: "/settings/$section" });
  const [open, setOpen] = useState<Open | null>(add ? { what: "set", credential: null } : null);
  const close = () => {
    setOpen(null);
    if (add) void navigate({ search: {}, replace: true });
  };
  return (
    <Section
      title="Credentials"
      about="What it takes to be let in somewhere: a server, a name, a password. Nodes take one by its name; what is secret in it is sealed, and never shown."
      action={
        query.data && (
          <button
            type="button"
            className="rev-button rev-button-primary"
            onClick={() => setOpen({ what: "set", credential: null })}
          >
            <Plus size={15} aria-hidden /> Add a credential
          </button>
        )
      }
    >
      <Asked query={query} what="credentials">
        {({ credentials }) =>
          credentials.length === 0 ? (
            <Empty title="There are no credentials yet">
              Add one here, or with <Code>flowscope credentials set NAME TYPE</Code>, and name it in a node
              that sends mail, asks a database, a model or a web service.
            </Empty>
          ) : (
            <Rows label="Credentials">
              {credentials.map((one) => (
                <CredentialRow
                  key={one.name}
                  credential={one}
                  edit={() => setOpen({ what: "set", credential: one })}
                  remove={() => setOpen({ what: "delete", credential: one })}
                />
              ))}
            </Rows>
          )
        }
      </Asked>
      {open?.what === "set" && query.data && (
        <CredentialDialog
          credential={open.credential}
          types={query.data.types}
          wanted={add}
          taken={query.data.credentials.map((one) => one.name)}
          close={close}
        />
      )}
      {open?.what === "delete" && <CredentialDeletion credential={open.credential} close={close} />}
    </Section>
  );
}

interface CredentialRowProps {
  readonly credential: Credential;
  edit(): void;
  remove(): void;
}

function CredentialRow({ credential, edit, remove }: CredentialRowProps) {
  const { api } = useServices();
  const trial = useMutation({
    mutationFn: () =>
      api.send<{ ok: boolean; message: string; durationMs: number }>(
        "POST",
        `/api/credentials/${encodeURIComponent(credential.name)}/test`,
      ),
  });
  const facts = Object.entries(credential.fields ?? {}).filter(([, value]) => value !== "" && value !== null);
  return (
    <Row
      name={
        <>
          <Code>{credential.name}</Code>{" "}
          <span className="font-normal text-muted">{titleOfType(credential.type)}</span>
        </>
      }
      actions={
        <>
          <button
            type="button"
            className="rev-button rev-button-small"
            aria-label={`Test ${credential.name}`}
            disabled={trial.isPending}
            onClick={() => trial.mutate()}
          >
            <PlugZap size={13} aria-hidden /> {trial.isPending ? "Testing…" : "Test"}
          </button>
          <button
            type="button"
            className="rev-button rev-button-small"
            aria-label={`Change ${credential.name}`}
            onClick={edit}
          >
            Change
          </button>
          <button
            type="button"
            className="rev-button rev-button-small rev-button-icon rev-button-danger"
            aria-label={`Delete ${credential.name}`}
            title="Delete"
            onClick={remove}
          >
            <Trash2 size={13} aria-hidden />
          </button>
        </>
      }
    >
      <span>
        {facts.map(([name, value]) => `${name}: ${String(value)}`).join(" · ")}
        {facts.length > 0 && " · "}
        {credential.secretFieldsSet?.map((name) => `${name}: set`).join(" · ")}
        {credential.secretFieldsSet?.length ? " · " : ""}
        changed {ago(credential.updatedAt)}
        {" · "}
        <Users users={credential.usedBy} />
      </span>
      {credential.problem && <span className="block text-error-ink">{credential.problem}</span>}
      <span role="status" className="block">
        {trial.error && <span className="text-error-ink">{trial.error.message}</span>}
        {trial.data && (
          <span
            className={`mt-1 inline-flex items-start gap-1.5 ${trial.data.ok ? "text-success-ink" : "text-error-ink"}`}
          >
            <StatusIcon status={trial.data.ok ? "success" : "error"} size={13} />
            <span>
              {trial.data.ok ? "It lets in" : "It does not let in"}, {duration(trial.data.durationMs)}:{" "}
              {trial.data.message}
            </span>
          </span>
        )}
      </span>
    </Row>
  );
}

interface CredentialDeletionProps {
  readonly credential: Credential;
  close(): void;
}

function CredentialDeletion({ credential: { name, usedBy }, close }: CredentialDeletionProps) {
  const { api } = useServices();
  const change = useChange<void>(
    () => api.send("DELETE", `/api/credentials/${encodeURIComponent(name)}`),
    "credentials",
    close,
  );
  return (
    <DeleteDialog title={`Delete ${name}?`} change={change} close={close}>
      {usersWarning(usedBy)} It cannot be brought back.
    </DeleteDialog>
  );
}
