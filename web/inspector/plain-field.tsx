/** A field without expressions, for people who answer and for settings: its name, its control, what is wrong with it. */

import { type KeyboardEvent, useId } from "react";
import type { Json } from "../protocol/document.ts";

export type PlainKind =
  | "text"
  | "textarea"
  | "email"
  | "url"
  | "number"
  | "boolean"
  | "select"
  | "date"
  | "password";

export interface PlainField {
  readonly name: string;
  readonly label: string;
  readonly kind: PlainKind;
  readonly required: boolean;
  readonly help: string;
  readonly placeholder?: string;
  readonly options: readonly string[];
}

interface PlainFieldViewProps {
  readonly field: PlainField;
  readonly value: Json | undefined;
  readonly fault: string;
  readonly disabled?: boolean;
  change(value: Json): void;
}

/** Keys that are typed are not the page's. */
export function keepKeys(event: KeyboardEvent) {
  if (!(event.ctrlKey || event.metaKey) && event.key !== "Escape") event.stopPropagation();
}

export function PlainFieldView({ field, value, fault, disabled = false, change }: PlainFieldViewProps) {
  const id = useId();
  const notes = `${id}-notes`;
  const text = value === undefined || value === null ? "" : String(value);
  const shared = {
    id,
    name: field.name,
    disabled,
    required: field.required,
    "aria-invalid": fault !== "",
    "aria-describedby": notes,
  };
  const note = (
    <p id={notes} className={`text-xs ${fault ? "text-error-ink" : "text-muted"}`}>
      {fault || field.help}
    </p>
  );
  if (field.kind === "boolean") {
    return (
      <div className="space-y-1">
        <div className="flex items-center gap-2">
          <input
            {...shared}
            type="checkbox"
            className="size-4 accent-(--rev-accent-fill)"
            checked={value === true}
            onChange={(event) => change(event.target.checked)}
          />
          <Label id={id} field={field} />
        </div>
        {note}
      </div>
    );
  }
  return (
    <div className="space-y-1">
      <Label id={id} field={field} />
      {field.kind === "select" ? (
        <select
          {...shared}
          className="rev-input scroll-mt-10"
          value={text}
          onKeyDown={keepKeys}
          onChange={(event) => change(event.target.value)}
        >
          {!field.options.includes(text) && <option value="">Choose…</option>}
          {field.options.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
      ) : field.kind === "textarea" ? (
        <textarea
          {...shared}
          rows={4}
          className="rev-input h-auto scroll-mt-10 resize-y py-1.5"
          value={text}
          placeholder={field.placeholder}
          onKeyDown={keepKeys}
          onChange={(event) => change(event.target.value)}
        />
      ) : (
        <input
          {...shared}
          className="rev-input scroll-mt-10"
          type={field.kind === "number" ? "text" : field.kind}
          inputMode={field.kind === "number" ? "decimal" : undefined}
          autoComplete={field.kind === "password" ? "new-password" : "off"}
          value={text}
          placeholder={field.placeholder}
          onKeyDown={keepKeys}
          onChange={(event) => change(event.target.value)}
        />
      )}
      {note}
    </div>
  );
}

function Label({ id, field }: { id: string; field: PlainField }) {
  return (
    <label htmlFor={id} className="text-xs font-medium">
      {field.label}
      {field.required && (
        <span className="text-muted" title="Needed" aria-hidden>
          {" "}
          *
        </span>
      )}
    </label>
  );
}
