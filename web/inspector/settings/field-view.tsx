/** One field of the form: its name, its control, what is wrong with it. */

import { Plus, Trash2 } from "lucide-react";
import { lazy, Suspense, useId, useState } from "react";
import type { Json, JsonObject } from "../../protocol/document.ts";
import { CredentialInput } from "./credential-input.tsx";
import { ExpressionInput } from "./expression-input.tsx";
import { type Field, faultOf, isExpression, read, written } from "./fields.ts";
import { useSettings } from "./settings-context.ts";

const CodeEditor = lazy(async () => ({ default: (await import("./code-editor.tsx")).CodeEditor }));

interface FieldViewProps {
  readonly field: Field;
  readonly value: Json | undefined;
  /** Such as `config.retry.delay`: where problems of the server are about. */
  readonly place: string;
  change(value: Json | undefined): void;
}

export function FieldView(props: FieldViewProps) {
  const { field, value, place } = props;
  const { problems } = useSettings();
  const id = useId();
  const [left, setLeft] = useState(false);
  const said = problems.find((problem) => problem.place.endsWith(place));
  // One is not told that something is missing before one has had a chance to write it.
  const fault =
    (left || (value !== undefined && value !== "") ? faultOf(field, value) : "") || said?.message || "";
  const notes = `${id}-notes`;
  if (field.kind === "boolean" && !isExpression(value)) return <Switch {...props} id={id} fault={fault} />;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: it hears that its control was left
    <div className="space-y-1" onBlur={() => setLeft(true)}>
      <div className="flex items-baseline gap-2">
        <label htmlFor={id} className="text-xs font-medium">
          {field.title}
          {field.required && (
            <span className="text-faint" title="Needed">
              {" "}
              *
            </span>
          )}
        </label>
        <span className="flex-1" />
        {field.templated && TOGGLES.has(field.kind) && <ExpressionToggle {...props} />}
      </div>
      <Control {...props} id={id} notes={notes} invalid={fault !== ""} />
      <div id={notes} className="text-xs">
        {fault ? (
          <p className="text-error-ink">
            {fault}
            {said?.remedy && fault === said.message && (
              <span className="block text-muted">{said.remedy}</span>
            )}
          </p>
        ) : (
          field.description && <p className="text-muted">{plain(field.description)}</p>
        )}
      </div>
    </div>
  );
}

/** Kinds whose own control takes no expression: a button turns it into one that does. */
const TOGGLES = new Set(["choice", "credential", "boolean", "texts", "pairs", "group", "rows"]);

function ExpressionToggle({ field, value, change }: FieldViewProps) {
  const { readOnly } = useSettings();
  const on = isExpression(value);
  return (
    <button
      type="button"
      className={`rounded px-1 font-mono text-[11px] hover:bg-hover ${on ? "text-accent" : "text-faint"}`}
      aria-pressed={on}
      disabled={readOnly}
      title={on ? "Give a value" : "Give an expression"}
      onClick={() => change(on ? field.fallback : "{{  }}")}
    >
      {"{{ }}"}
    </button>
  );
}

interface ControlProps extends FieldViewProps {
  readonly id: string;
  readonly notes: string;
  readonly invalid: boolean;
}

function Control({ field, value, place, change, id, notes, invalid }: ControlProps) {
  const { readOnly } = useSettings();
  const shared = { id, invalid, describedBy: notes, templated: field.templated };
  const hint =
    field.fallback === undefined || field.fallback === null || typeof field.fallback === "object"
      ? ""
      : String(field.fallback);
  if (isExpression(value) && field.templated && !["long", "code", "any"].includes(field.kind))
    return <ExpressionInput {...shared} value={value} change={(text) => change(text || undefined)} />;
  switch (field.kind) {
    case "choice":
      return (
        <select
          id={id}
          className="rev-input"
          disabled={readOnly}
          aria-invalid={invalid}
          aria-describedby={notes}
          value={String(value ?? field.fallback ?? "")}
          onChange={(event) => change(field.choices.find((one) => String(one) === event.target.value))}
        >
          {value === undefined && field.fallback === undefined && <option value="">Choose…</option>}
          {field.choices.map((one) => (
            <option key={String(one)} value={String(one)}>
              {String(one)}
            </option>
          ))}
        </select>
      );
    case "credential":
      return (
        <CredentialInput
          {...shared}
          types={field.schema.credentialTypes ?? []}
          optional={!field.required}
          value={typeof value === "string" ? value : ""}
          change={(name) => change(name || undefined)}
        />
      );
    case "number":
      return (
        <ExpressionInput
          {...shared}
          numeric
          value={value === undefined || value === null ? "" : String(value)}
          placeholder={hint}
          change={(text) => change(text === "" ? undefined : numberOf(text))}
        />
      );
    case "code":
      return (
        <Suspense
          fallback={<div className="h-32 rounded-lg border border-line bg-sunken" aria-busy="true" />}
        >
          <CodeEditor
            label={field.title}
            language={field.name === "sql" || field.name === "query" ? "text" : "python"}
            value={typeof value === "string" ? value : written(value)}
            change={(text) => change(text || undefined)}
          />
        </Suspense>
      );
    case "any":
      return <AnyInput {...shared} value={value} change={change} />;
    case "texts":
      return (
        <TextsInput id={id} label={field.title} value={value} change={change} templated={field.templated} />
      );
    case "pairs":
      return (
        <PairsInput id={id} label={field.title} value={value} change={change} templated={field.templated} />
      );
    case "group":
      return (
        <Members
          fields={field.fields}
          value={objectOf(value)}
          place={place}
          change={(next) => change(Object.keys(next).length ? next : undefined)}
        />
      );
    case "rows":
      return <RowsInput field={field} value={value} place={place} change={change} />;
    default:
      return (
        <ExpressionInput
          {...shared}
          lines={field.kind === "long" ? 3 : 1}
          value={typeof value === "string" ? value : written(value)}
          placeholder={hint}
          change={(text) => change(text === "" && !field.required ? undefined : text)}
        />
      );
  }
}

function numberOf(text: string): Json {
  const number = Number(text.replace(",", "."));
  return Number.isNaN(number) ? text : number;
}

function objectOf(value: Json | undefined): JsonObject {
  return value !== null && typeof value === "object" && !Array.isArray(value) ? value : {};
}

function Switch({ field, value, change, id, fault }: FieldViewProps & { id: string; fault: string }) {
  const { readOnly } = useSettings();
  return (
    <div>
      <div className="flex items-center gap-2">
        <input
          id={id}
          type="checkbox"
          className="size-4 accent-(--rev-accent-fill)"
          disabled={readOnly}
          checked={(value ?? field.fallback) === true}
          onChange={(event) =>
            change(event.target.checked === field.fallback ? undefined : event.target.checked)
          }
        />
        <label htmlFor={id} className="flex-1 text-xs font-medium">
          {field.title}
        </label>
        {field.templated && <ExpressionToggle field={field} value={value} place="" change={change} />}
      </div>
      <p className={`mt-1 text-xs ${fault ? "text-error-ink" : "text-muted"}`}>
        {fault || plain(field.description)}
      </p>
    </div>
  );
}

/** JSON, a text, or an expression: it is read as what it looks like. */
function AnyInput(props: {
  id: string;
  invalid: boolean;
  describedBy: string;
  templated: boolean;
  value: Json | undefined;
  change(value: Json | undefined): void;
}) {
  const { value, change, ...shared } = props;
  const [text, setText] = useState(() => written(value));
  const [last, setLast] = useState(value);
  // Undo, or another hand, has changed it: what is typed gives way.
  if (value !== last) {
    setLast(value);
    if (JSON.stringify(read(text)) !== JSON.stringify(value)) setText(written(value));
  }
  const broken = /^\s*[[{]/.test(text) && !isExpression(text) && typeof read(text) === "string";
  return (
    <>
      <ExpressionInput
        {...shared}
        lines={2}
        value={text}
        placeholder="A value, JSON, or {{ an expression }}"
        change={(next) => {
          setText(next);
          const found = read(next);
          setLast(found);
          change(found);
        }}
      />
      {broken && <p className="text-xs text-skipped-ink">This is no JSON yet, and is taken as a text.</p>}
    </>
  );
}

interface PartsProps {
  readonly id: string;
  readonly label: string;
  readonly value: Json | undefined;
  readonly templated: boolean;
  change(value: Json | undefined): void;
}

function TextsInput({ id, label, value, change, templated }: PartsProps) {
  const items = Array.isArray(value) ? value : [];
  const set = (next: Json[]) => change(next.length ? next : undefined);
  return (
    <fieldset className="space-y-1" id={id} aria-label={label}>
      {items.map((item, n) => (
        <div key={n} className="flex items-start gap-1">
          <div className="min-w-0 flex-1">
            <ExpressionInput
              id={`${id}-${n}`}
              invalid={false}
              templated={templated}
              value={written(item)}
              change={(text) => set(items.map((one, m) => (m === n ? text : one)))}
            />
          </div>
          <RemoveButton label={`Remove ${n + 1}`} act={() => set(items.filter((_, m) => m !== n))} />
        </div>
      ))}
      <AddButton label="Add" act={() => set([...items, ""])} />
    </fieldset>
  );
}

function PairsInput({ id, label, value, change, templated }: PartsProps) {
  const entries = Object.entries(objectOf(value));
  const { readOnly } = useSettings();
  const set = (next: [string, Json][]) => change(next.length ? Object.fromEntries(next) : undefined);
  return (
    <fieldset className="space-y-1.5" id={id} aria-label={label}>
      {entries.map(([key, member], n) => (
        <div key={n} className="flex items-start gap-1">
          <input
            className="rev-input w-2/5 flex-none font-mono text-xs"
            style={{ width: "38%" }}
            aria-label={`Name ${n + 1}`}
            placeholder="name"
            readOnly={readOnly}
            value={key}
            onKeyDown={(event) => event.stopPropagation()}
            onChange={(event) => {
              // Two of one name would be one: the change waits until it is another.
              if (entries.some(([one], m) => m !== n && one === event.target.value)) return;
              set(entries.map((one, m) => (m === n ? [event.target.value, one[1]] : one)));
            }}
          />
          <div className="min-w-0 flex-1">
            <AnyLine
              id={`${id}-${n}`}
              label={`Value of ${key || n + 1}`}
              templated={templated}
              value={member}
              change={(next) => set(entries.map((one, m) => (m === n ? [key, next ?? ""] : one)))}
            />
          </div>
          <RemoveButton label={`Remove ${key}`} act={() => set(entries.filter((_, m) => m !== n))} />
        </div>
      ))}
      <AddButton label="Add" act={() => set([...entries, [freshKey(entries), ""]])} />
    </fieldset>
  );
}

function AnyLine({
  id,
  label,
  value,
  templated,
  change,
}: {
  id: string;
  label: string;
  value: Json;
  templated: boolean;
  change: (value: Json | undefined) => void;
}) {
  const [text, setText] = useState(() => written(value));
  const [last, setLast] = useState(value);
  if (value !== last) {
    setLast(value);
    if (JSON.stringify(read(text) ?? "") !== JSON.stringify(value)) setText(written(value));
  }
  return (
    <>
      <label htmlFor={id} className="rev-visually-hidden">
        {label}
      </label>
      <ExpressionInput
        id={id}
        invalid={false}
        templated={templated}
        lines={text.includes("\n") ? 2 : 1}
        value={text}
        change={(next) => {
          setText(next);
          const found = read(next);
          setLast(found ?? "");
          change(found);
        }}
      />
    </>
  );
}

function freshKey(entries: readonly (readonly [string, Json])[]): string {
  const taken = new Set(entries.map(([key]) => key));
  for (let n = entries.length + 1; ; n += 1) if (!taken.has(`field${n}`)) return `field${n}`;
}

function RowsInput({ field, value, place, change }: FieldViewProps) {
  const rows = Array.isArray(value) ? value : [];
  const set = (next: Json[]) => change(next.length ? next : undefined);
  return (
    <div className="space-y-2">
      {rows.map((row, n) => (
        <fieldset key={n} className="rounded-lg border border-line p-2.5">
          <legend className="flex items-center gap-1 px-1 text-xs text-muted">
            {field.title} {n + 1}
            <RemoveButton
              label={`Remove ${field.title} ${n + 1}`}
              act={() => set(rows.filter((_, m) => m !== n))}
            />
          </legend>
          <Members
            fields={field.fields}
            value={objectOf(row)}
            place={`${place}[${n}]`}
            change={(next) => set(rows.map((one, m) => (m === n ? next : one)))}
          />
        </fieldset>
      ))}
      <AddButton label={`Add to ${field.title.toLowerCase()}`} act={() => set([...rows, {}])} />
    </div>
  );
}

export function Members({
  fields,
  value,
  place,
  change,
}: {
  fields: readonly Field[];
  value: JsonObject;
  place: string;
  change: (value: JsonObject) => void;
}) {
  return (
    <div className="space-y-3">
      {fields.map((field) => (
        <FieldView
          key={field.name}
          field={field}
          value={value[field.name]}
          place={`${place}.${field.name}`}
          change={(next) => {
            const { [field.name]: _, ...rest } = value;
            change(next === undefined ? rest : { ...rest, [field.name]: next });
          }}
        />
      ))}
    </div>
  );
}

function AddButton({ label, act }: { label: string; act: () => void }) {
  const { readOnly } = useSettings();
  if (readOnly) return null;
  return (
    <button type="button" className="rev-button rev-button-small rev-button-quiet text-muted" onClick={act}>
      <Plus size={13} aria-hidden /> {label}
    </button>
  );
}

function RemoveButton({ label, act }: { label: string; act: () => void }) {
  const { readOnly } = useSettings();
  if (readOnly) return null;
  return (
    <button
      type="button"
      className="rev-button rev-button-quiet rev-button-small rev-button-icon text-faint"
      aria-label={label}
      onClick={act}
    >
      <Trash2 size={13} aria-hidden />
    </button>
  );
}

/** Descriptions mark names with backticks. */
function plain(text: string): string {
  return text.replace(/`/g, "");
}
