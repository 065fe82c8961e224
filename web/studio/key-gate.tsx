/** A server with keys asks for one, once; from then on its cookie says who is here. */

import { KeyRound } from "lucide-react";
import { type FormEvent, useState } from "react";
import type { Api } from "../execution/api.ts";

export function KeyGate({ api, onOpen }: { api: Api; onOpen: () => void }) {
  const [key, setKey] = useState("");
  const [error, setError] = useState("");
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    try {
      await api.signIn(key.trim());
      onOpen();
    } catch (refused) {
      setError(refused instanceof Error ? refused.message : String(refused));
    }
  };
  return (
    <main className="grid h-full place-items-center p-6">
      <form onSubmit={submit} className="w-full max-w-sm rounded-xl border border-line bg-panel p-6">
        <KeyRound size={20} className="mb-3 text-accent" aria-hidden />
        <h1 className="mb-1 text-base font-semibold">This server asks for a key</h1>
        <p className="mb-4 text-muted">
          Make one with <code className="font-mono">flowscope keys create NAME</code> where it runs. It is
          asked for once on this machine.
        </p>
        <label className="mb-1 block font-medium" htmlFor="key">
          Key
        </label>
        <input
          id="key"
          className="rev-input mb-3"
          type="password"
          autoComplete="current-password"
          autoFocus
          value={key}
          onChange={(event) => setKey(event.target.value)}
        />
        {error && (
          <p role="alert" className="mb-3 text-error-ink">
            {error}
          </p>
        )}
        <button type="submit" className="rev-button rev-button-primary w-full" disabled={!key.trim()}>
          Open
        </button>
      </form>
    </main>
  );
}
