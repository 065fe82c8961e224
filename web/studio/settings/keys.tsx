/** API keys: made, listed, revoked. A key's text is shown once. */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Plus } from "lucide-react";
import { useState } from "react";
import { useScope } from "../../execution/react/scope.ts";
import { PlainFieldView } from "../../inspector/plain-field.tsx";
import { ago } from "../../theme/format.ts";
import { Dialog } from "../dialog.tsx";
import { useServices } from "../services.tsx";
import { CopyButton } from "./copy-button.tsx";
import { DeleteDialog, FormDialog, useChange } from "./forms.tsx";
import { Asked, Empty, Row, Rows, Section } from "./section.tsx";

interface Key {
  readonly keyId: string;
  readonly name: string;
  readonly scope: "viewer" | "editor" | "admin";
  readonly createdAt: string;
}

const SCOPES = {
  viewer: "looks",
  editor: "changes and runs",
  admin: "manages keys, secrets and credentials as well",
} as const;

export function KeysSection() {
  const { api } = useServices();
  const { session } = useScope(api);
  const keys = useQuery({
    queryKey: ["keys"],
    queryFn: async () => (await api.get<{ keys: Key[] }>("/api/keys")).keys,
  });
  const [adding, setAdding] = useState(false);
  const [revoked, setRevoked] = useState<Key | null>(null);
  const [made, setMade] = useState<{ key: string; name: string } | null>(null);
  return (
    <Section
      title="API keys"
      about="Who may come, and do what. Without any key the server is open to this machine, and to nobody else."
      action={
        keys.data && (
          <button type="button" className="rev-button rev-button-primary" onClick={() => setAdding(true)}>
            <Plus size={15} aria-hidden /> Make a key
          </button>
        )
      }
    >
      <Asked query={keys} what="API keys">
        {(rows) =>
          rows.length === 0 ? (
            <Empty title="There are no keys: everybody on this machine may do everything">
              From the first one on, everything needs a key. That first one is an admin's, and this browser
              goes on with it.
            </Empty>
          ) : (
            <Rows label="API keys">
              {rows.map((key) => (
                <Row
                  key={key.keyId}
                  name={
                    <>
                      {key.name}{" "}
                      {key.name === session?.name && <span className="font-normal text-muted">(yours)</span>}
                    </>
                  }
                  actions={
                    <button
                      type="button"
                      className="rev-button rev-button-small rev-button-danger"
                      aria-label={`Revoke ${key.name}`}
                      onClick={() => setRevoked(key)}
                    >
                      Revoke
                    </button>
                  }
                >
                  {key.scope}: {SCOPES[key.scope]} · made {ago(key.createdAt)}
                </Row>
              ))}
            </Rows>
          )
        }
      </Asked>
      {adding && keys.data && (
        <KeyDialog
          first={keys.data.length === 0}
          taken={keys.data.map((key) => key.name)}
          close={() => setAdding(false)}
          show={setMade}
        />
      )}
      {made && (
        <Dialog title={`The key ${made.name}`} onClose={() => setMade(null)}>
          <div className="space-y-3 p-4">
            <p>Copy it now: it is shown this once, and nowhere else.</p>
            <p className="flex items-center gap-2">
              <code className="min-w-0 rounded bg-sunken px-2 py-1 font-mono break-all">{made.key}</code>
              <CopyButton text={made.key} what="the key" />
            </p>
          </div>
        </Dialog>
      )}
      {revoked && (
        <Revocation
          revoked={revoked}
          own={revoked.name === session?.name}
          last={keys.data?.length === 1}
          close={() => setRevoked(null)}
        />
      )}
    </Section>
  );
}

interface KeyDialogProps {
  readonly first: boolean;
  readonly taken: readonly string[];
  close(): void;
  show(made: { key: string; name: string }): void;
}

function KeyDialog({ first, taken, close, show }: KeyDialogProps) {
  const { api } = useServices();
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [scope, setScope] = useState<Key["scope"]>(first ? "admin" : "viewer");
  const [tried, setTried] = useState(false);
  const change = useChange(
    async () => {
      const made = await api.send<{ key: string; name: string }>("POST", "/api/keys", {
        name: name.trim(),
        scope,
      });
      // From here on everything needs a key: this browser goes on with the one it has just made.
      if (first) {
        await api.signIn(made.key);
        await queries.invalidateQueries({ queryKey: ["session"] });
      }
      show(made);
    },
    "keys",
    close,
  );
  const fault = !name.trim()
    ? "It needs a name"
    : taken.includes(name.trim())
      ? "There is one of that name"
      : "";
  return (
    <FormDialog
      title="Make a key"
      button="Make it"
      busy={change.isPending}
      error={change.error?.message ?? ""}
      submit={() => {
        setTried(true);
        if (!fault) change.mutate(undefined);
      }}
      close={close}
    >
      <PlainFieldView
        field={{
          name: "name",
          label: "Name",
          kind: "text",
          required: true,
          help: "Who or what it is for; it stands beside what is done with it",
          options: [],
        }}
        value={name}
        fault={tried ? fault : ""}
        change={(next) => setName(String(next))}
      />
      <fieldset>
        <legend className="mb-1 text-xs font-medium">Scope</legend>
        {(Object.keys(SCOPES) as Key["scope"][]).map((one) => (
          <label key={one} className="flex items-center gap-2 py-1">
            <input
              type="radio"
              name="scope"
              className="accent-(--rev-accent-fill)"
              checked={scope === one}
              disabled={first && one !== "admin"}
              onChange={() => setScope(one)}
            />
            <span>
              {one}: <span className="text-muted">{SCOPES[one]}</span>
            </span>
          </label>
        ))}
        {first && <p className="text-xs text-muted">The first is an admin's, or nobody could make others.</p>}
      </fieldset>
    </FormDialog>
  );
}

interface RevocationProps {
  readonly revoked: Key;
  readonly own: boolean;
  readonly last: boolean;
  close(): void;
}

function Revocation({ revoked, own, last, close }: RevocationProps) {
  const { api } = useServices();
  const change = useChange<void>(
    () => api.send("DELETE", `/api/keys/${encodeURIComponent(revoked.keyId)}`),
    "keys",
    close,
  );
  return (
    <DeleteDialog title={`Revoke ${revoked.name}?`} button="Revoke" change={change} close={close}>
      Whoever uses it is shut out at once, for good.
      {last
        ? " It is the last one: the server is open to this machine again, and to nobody else."
        : own && " It is your own: this browser asks for another key then."}
    </DeleteDialog>
  );
}
