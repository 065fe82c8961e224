/** A field that takes expressions: completes what can be named, and shows what it comes to with the last run's data. */

import { useQuery } from "@tanstack/react-query";
import {
  type ChangeEvent,
  type KeyboardEvent,
  useDeferredValue,
  useEffect,
  useId,
  useLayoutEffect,
  useRef,
  useState,
} from "react";
import type { Json } from "../../protocol/document.ts";
import { cellOf } from "../json-rows.ts";
import { type Completion, completionsOf, typedAt } from "./completions.ts";
import { isExpression } from "./fields.ts";
import { useSettings } from "./settings-context.ts";

interface ExpressionInputProps {
  readonly id: string;
  readonly value: string;
  readonly placeholder?: string;
  readonly lines?: number;
  readonly invalid: boolean;
  readonly describedBy?: string | undefined;
  readonly templated: boolean;
  readonly numeric?: boolean;
  change(text: string): void;
}

type Control = HTMLInputElement | HTMLTextAreaElement;

export function ExpressionInput(props: ExpressionInputProps) {
  const {
    id,
    value,
    placeholder = "",
    lines = 1,
    invalid,
    describedBy,
    templated,
    numeric = false,
    change,
  } = props;
  const { known, readOnly } = useSettings();
  const control = useRef<Control | null>(null);
  const [offered, setOffered] = useState<readonly Completion[]>([]);
  const [at, setAt] = useState(0);
  const list = useId();
  // Where the caret goes once what was put in is there: before the next key.
  const caretAt = useRef(-1);
  useLayoutEffect(() => {
    if (caretAt.current < 0) return;
    control.current?.setSelectionRange(caretAt.current, caretAt.current);
    caretAt.current = -1;
  });
  const offer = (text: string, caret: number) => {
    const typed = templated ? typedAt(text, caret) : null;
    setOffered(typed ? completionsOf(known, typed.path) : []);
    setAt(0);
  };
  const take = (completion: Completion) => {
    const field = control.current!;
    const caret = field.selectionStart ?? value.length;
    const typed = typedAt(value, caret);
    if (!typed) return;
    const dot = typed.path.lastIndexOf(".");
    const from = typed.from + (dot < 0 ? 0 : dot + 1);
    const next = value.slice(0, from) + completion.label + value.slice(caret);
    change(next);
    const place = from + completion.label.length;
    caretAt.current = place;
    setOffered([]);
  };
  const onKey = (event: KeyboardEvent) => {
    event.stopPropagation();
    if (event.key === " " && event.ctrlKey) {
      event.preventDefault();
      offer(value, control.current?.selectionStart ?? 0);
      return;
    }
    if (!offered.length) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      setAt((at + (event.key === "ArrowDown" ? 1 : -1) + offered.length) % offered.length);
    } else if (event.key === "Enter" || event.key === "Tab") take(offered[at]);
    else if (event.key === "Escape") setOffered([]);
    else return;
    event.preventDefault();
  };
  const onChange = (event: ChangeEvent<Control>) => {
    const field = event.currentTarget;
    let text = field.value;
    let caret = field.selectionStart ?? text.length;
    // Two braces open an expression, and it is closed at once.
    if (
      templated &&
      text.length === value.length + 1 &&
      text.slice(caret - 2, caret) === "{{" &&
      !text.slice(caret).startsWith(" }}")
    ) {
      text = `${text.slice(0, caret)}  }}${text.slice(caret)}`;
      caret += 1;
      caretAt.current = caret;
    }
    change(text);
    offer(text, caret);
  };
  const shared = {
    id,
    value,
    placeholder,
    readOnly,
    spellCheck: false,
    autoComplete: "off",
    "aria-controls": list,
    "aria-autocomplete": "list" as const,
    "aria-activedescendant": offered.length ? `${list}-${at}` : undefined,
    "aria-invalid": invalid,
    "aria-describedby": describedBy,
    onChange,
    onKeyDown: onKey,
    onBlur: () => setOffered([]),
    className: `rev-input ${isExpression(value) ? "font-mono text-xs" : ""} ${numeric ? "tabular-nums" : ""}`,
  };
  return (
    <div className="relative">
      {lines > 1 ? (
        <textarea
          {...shared}
          ref={(element) => {
            control.current = element;
          }}
          rows={Math.min(14, Math.max(lines, value.split("\n").length))}
          style={{ height: "auto", resize: "vertical", padding: "5px 9px" }}
        />
      ) : (
        <input
          {...shared}
          role="combobox"
          aria-expanded={offered.length > 0}
          ref={(element) => {
            control.current = element;
          }}
          inputMode={numeric && !isExpression(value) ? "decimal" : "text"}
        />
      )}
      <div
        id={list}
        role="listbox"
        aria-label="What can be named here"
        hidden={!offered.length}
        className="rev-menu absolute inset-x-0 top-full mt-1 max-h-64 overflow-auto"
      >
        {offered.map((one, n) => (
          // biome-ignore lint/a11y/useFocusableInteractive: the field keeps the focus
          // biome-ignore lint/a11y/useKeyWithClickEvents: the field hears the keys
          <div
            key={one.label}
            id={`${list}-${n}`}
            role="option"
            aria-selected={n === at}
            data-selected={n === at}
            className="rev-menu-item"
            onPointerDown={(event) => event.preventDefault()}
            onClick={() => take(one)}
          >
            <span className="font-mono text-xs">{one.label}</span>
            <span className="min-w-0 flex-1 truncate text-right text-xs text-muted">{one.detail}</span>
          </div>
        ))}
      </div>
      {templated && isExpression(value) && <Preview template={value} />}
    </div>
  );
}

/** What it comes to, a moment after typing has stopped. */
function Preview({ template }: { template: string }) {
  const { api, preview } = useSettings();
  const deferred = useDeferredValue(useSettled(template, 250));
  const found = useQuery({
    queryKey: ["evaluate", preview?.executionId, preview?.nodeId, deferred],
    queryFn: () =>
      api.send<{ value?: Json; error?: string; size?: number; preview?: string }>(
        "POST",
        `/api/executions/${encodeURIComponent(preview!.executionId)}/nodes/${encodeURIComponent(preview!.nodeId)}/evaluate`,
        { template: deferred },
      ),
    enabled: preview !== null,
    retry: false,
    staleTime: 30_000,
    placeholderData: (last) => last,
  });
  if (!preview) return <p className="mt-1 text-xs text-faint">Run it once to see the value here.</p>;
  if (found.error) return <p className="mt-1 text-xs text-faint">No value yet: it has not run.</p>;
  if (!found.data) return null;
  if (found.data.error !== undefined)
    return <p className="mt-1 text-xs break-words text-error-ink">{found.data.error}</p>;
  const text =
    found.data.preview ??
    (typeof found.data.value === "string" ? found.data.value : cellOf(found.data.value));
  return (
    <p className="mt-1 flex gap-1.5 text-xs text-muted" title="With the last run's data">
      <span aria-hidden>=</span>
      <span className="line-clamp-3 font-mono break-all text-text">
        {text === "" ? "(empty text)" : text}
      </span>
    </p>
  );
}

/** The value once it has stayed the same for a while. */
function useSettled(value: string, milliseconds: number): string {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), milliseconds);
    return () => clearTimeout(timer);
  }, [value, milliseconds]);
  return settled;
}
