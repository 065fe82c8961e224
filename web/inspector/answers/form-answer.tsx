/** A waiting form, filled in here: the fields of its page, and what the server finds wrong with each. */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { ExternalLink } from "lucide-react";
import { type FormEvent, useRef, useState } from "react";
import { ApiError } from "../../execution/api.ts";
import type { Json, JsonObject } from "../../protocol/document.ts";
import { type PlainField, PlainFieldView, type PlainKind } from "../plain-field.tsx";
import type { AnswerProps } from "./answer.tsx";
import { keyOf, lateness } from "./waiting.ts";

/** A field as the server writes it: what is as usual is left out. */
interface FormField {
  readonly name: string;
  readonly label?: string;
  readonly type: Exclude<PlainKind, "password">;
  readonly required?: boolean;
  readonly options?: readonly string[];
  readonly help?: string;
  readonly default?: Json;
}

interface FormPage {
  readonly fields: readonly FormField[];
  readonly button: string;
  readonly thanks: string;
}

export function FormAnswer({ api, waiting, onAnswered }: AnswerProps) {
  const page = useQuery({
    queryKey: ["waiting-form", keyOf(waiting)],
    queryFn: () => api.get<FormPage>(waiting.formUrl!),
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  });
  const queries = useQueryClient();
  const form = useRef<HTMLFormElement>(null);
  const [typed, setTyped] = useState<JsonObject>({});
  const [faults, setFaults] = useState<Readonly<Record<string, string>>>({});
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  // The same for every try: what was taken, though the answer got lost, is known again.
  const [key] = useState(() => crypto.randomUUID?.() ?? `${Math.random()}`);
  if (page.error)
    return (
      <p role="alert" className="text-xs text-error-ink">
        {lateness(page.error)?.said ?? page.error.message}
      </p>
    );
  if (!page.data) return <div className="h-20" aria-busy="true" />;
  const { fields, button, thanks } = page.data;
  const values: JsonObject = {};
  for (const field of fields) values[field.name] = typed[field.name] ?? field.default ?? null;
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError("");
    const [path, query] = waiting.formUrl!.split("?");
    try {
      await api.send("POST", `${path}/submit?${query ?? ""}`, { data: values }, { "x-idempotency-key": key });
      setFaults({});
      onAnswered({ late: false, said: thanks });
      await queries.invalidateQueries({ queryKey: ["waiting"] });
    } catch (failed) {
      const found = failed instanceof ApiError ? faultsOf(failed) : {};
      const late = lateness(failed);
      setFaults(found);
      if (late) onAnswered(late);
      else if (!Object.keys(found).length)
        setError(failed instanceof Error ? failed.message : String(failed));
      const first = fields.find((field) => found[field.name]);
      if (first) form.current?.querySelector<HTMLElement>(`[name="${first.name}"]`)?.focus();
    }
    setBusy(false);
  };
  const wrong = Object.keys(faults).length;
  return (
    <form ref={form} noValidate onSubmit={(event) => void submit(event)} className="space-y-3">
      {fields.map((field) => (
        <PlainFieldView
          key={field.name}
          field={plainOf(field)}
          value={values[field.name]}
          fault={faults[field.name] ?? ""}
          change={(value) => setTyped((last) => ({ ...last, [field.name]: value }))}
        />
      ))}
      {(wrong > 0 || error) && (
        <p role="alert" className="text-xs text-error-ink">
          {error || (wrong === 1 ? "One field needs another look." : `${wrong} fields need another look.`)}
        </p>
      )}
      <div className="flex flex-wrap items-center gap-2">
        <button type="submit" className="rev-button rev-button-primary" disabled={busy}>
          {button}
        </button>
        <a
          className="rev-button rev-button-quiet text-muted"
          href={api.base + waiting.formUrl}
          target="_blank"
          rel="noopener"
        >
          <ExternalLink size={13} aria-hidden /> Its own page
        </a>
      </div>
    </form>
  );
}

function plainOf(field: FormField): PlainField {
  return {
    name: field.name,
    label: field.label || field.name,
    kind: field.type,
    required: field.required ?? false,
    help: field.help ?? "",
    options: field.options ?? [],
  };
}

function faultsOf(error: ApiError): Record<string, string> {
  const { fields } = error.details;
  return typeof fields === "object" && fields !== null ? (fields as Record<string, string>) : {};
}
