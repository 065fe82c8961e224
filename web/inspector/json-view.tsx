/** A JSON value to look at: as a tree, as a table where it is a list of objects, or as text. */

import { useVirtualizer } from "@tanstack/react-virtual";
import { Check, ChevronRight, Copy } from "lucide-react";
import { type KeyboardEvent, useCallback, useMemo, useRef, useState } from "react";
import type { Json } from "../protocol/document.ts";
import { count } from "../theme/format.ts";
import { cellOf, type JsonRow, rowsOf, search, type Table, tableOf } from "./json-rows.ts";

type Look = "tree" | "table" | "text";

/** `root`: the name that paths begin with. */
export function JsonView({ value, root, label }: { value: Json; root: string; label: string }) {
  const table = useMemo(() => tableOf(value), [value]);
  const [chosen, setLook] = useState<Look | null>(null);
  const [text, setText] = useState("");
  const look: Look = chosen === "table" && !table ? "tree" : (chosen ?? (table ? "table" : "tree"));
  const looks: Look[] = table ? ["tree", "table", "text"] : ["tree", "text"];
  return (
    <div className="flex min-h-0 flex-1 flex-col gap-2">
      <div className="flex items-center gap-1.5">
        <input
          type="search"
          className="rev-input rev-input-small flex-1"
          placeholder="Find a key or value"
          aria-label={`Find in ${label}`}
          value={text}
          onChange={(event) => {
            setText(event.target.value);
            if (look !== "tree") setLook("tree");
          }}
        />
        {looks.map((one) => (
          <button
            key={one}
            type="button"
            className="rev-button rev-button-small capitalize"
            aria-pressed={one === look}
            onClick={() => setLook(one)}
          >
            {one}
          </button>
        ))}
        <CopyButton text={() => JSON.stringify(value, null, 2)} label={`Copy ${label}`} />
      </div>
      {look === "tree" && <Tree value={value} root={root} text={text.trim()} label={label} />}
      {look === "table" && table && <TableView table={table} label={label} />}
      {look === "text" && <TextView value={value} />}
    </div>
  );
}

const ROW = 22;

function Tree({ value, root, text, label }: { value: Json; root: string; text: string; label: string }) {
  const [toggled, setToggled] = useState<ReadonlySet<string>>(new Set());
  const [at, setAt] = useState(0);
  const found = useMemo(() => (text ? search(value, root, text) : null), [value, root, text]);
  const rows = useMemo(() => {
    // Small values are open at first, large ones only on top; a click turns that round.
    const all = rowsOf(value, root, (path, depth) =>
      found ? found.way.has(path) !== toggled.has(path) : depth < 2 !== toggled.has(path),
    );
    return found
      ? all.filter((row) => row.depth === 0 || found.way.has(row.path) || found.hits.has(row.path))
      : all;
  }, [value, root, toggled, found]);
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: 10,
  });
  const toggle = (path: string) =>
    setToggled((last) => {
      const next = new Set(last);
      if (!next.delete(path)) next.add(path);
      return next;
    });
  const current = Math.min(at, rows.length - 1);
  const go = (n: number) => {
    const next = Math.max(0, Math.min(rows.length - 1, n));
    setAt(next);
    virtual.scrollToIndex(next, { align: "auto" });
  };
  const onKey = (event: KeyboardEvent) => {
    const row = rows[current];
    if (!row) return;
    const opens = row.kind === "object" || row.kind === "list";
    const acts: Record<string, () => void> = {
      ArrowDown: () => go(current + 1),
      ArrowUp: () => go(current - 1),
      PageDown: () => go(current + 12),
      PageUp: () => go(current - 12),
      Home: () => go(0),
      End: () => go(rows.length - 1),
      ArrowRight: () => opens && (row.open ? go(current + 1) : toggle(row.path)),
      ArrowLeft: () =>
        row.open
          ? toggle(row.path)
          : go(rows.findLastIndex((one, n) => n < current && one.depth < row.depth)),
      Enter: () => opens && toggle(row.path),
      c: () => void navigator.clipboard.writeText(row.path),
    };
    const act = acts[event.key];
    if (!act || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  };
  return (
    <>
      {found && (
        <p className="text-muted" role="status">
          {found.hits.size
            ? count(found.hits.size, "match").replace("matchs", "matches")
            : "Nothing has that in it"}
        </p>
      )}
      <div
        ref={scroller}
        role="tree"
        aria-label={label}
        aria-activedescendant={rows.length ? `json-${label}-${current}` : undefined}
        tabIndex={0}
        onKeyDown={onKey}
        className="min-h-24 flex-1 overflow-auto rounded-lg border border-line bg-sunken font-mono text-xs"
      >
        <div role="presentation" className="relative min-w-full" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((item) => (
            <TreeRow
              key={rows[item.index].path}
              row={rows[item.index]}
              id={`json-${label}-${item.index}`}
              active={item.index === current}
              hit={found?.hits.has(rows[item.index].path) ?? false}
              top={item.start}
              onClick={() => {
                setAt(item.index);
                const { kind, path } = rows[item.index];
                if (kind === "object" || kind === "list") toggle(path);
              }}
            />
          ))}
        </div>
      </div>
    </>
  );
}

interface TreeRowProps {
  readonly row: JsonRow;
  readonly id: string;
  readonly active: boolean;
  readonly hit: boolean;
  readonly top: number;
  onClick(): void;
}

function TreeRow({ row, id, active, hit, top, onClick }: TreeRowProps) {
  const opens = row.kind === "object" || row.kind === "list";
  return (
    // biome-ignore lint/a11y/useFocusableInteractive: the tree holds the focus, and says which row is active
    // biome-ignore lint/a11y/useKeyWithClickEvents: the tree hears the keys
    <div
      id={id}
      role="treeitem"
      aria-level={row.depth + 1}
      aria-expanded={opens ? row.open : undefined}
      aria-selected={active}
      onClick={onClick}
      className={`group absolute inset-x-0 top-0 flex h-[22px] cursor-default items-center gap-1 pr-8 whitespace-nowrap hover:bg-hover ${
        active ? "bg-hover" : ""
      }`}
      style={{ paddingLeft: 6 + row.depth * 14, transform: `translateY(${top}px)` }}
    >
      <ChevronRight
        size={12}
        aria-hidden
        className={`flex-none text-faint ${opens ? "" : "invisible"} ${row.open ? "rotate-90" : ""}`}
      />
      {row.label !== "" && (
        <span className={hit ? "bg-accent-soft text-accent" : "text-accent"}>
          {row.label}
          <span className="text-faint">: </span>
        </span>
      )}
      <span className={`truncate ${LOOKS[row.kind]}`} title={row.kind === "text" ? row.text : undefined}>
        {row.kind === "text" ? JSON.stringify(row.text).slice(0, 500) : row.text}
      </span>
      <span className="absolute right-1 hidden group-hover:block">
        <CopyButton text={() => row.path} label={`Copy the path ${row.path}`} plain />
      </span>
    </div>
  );
}

const LOOKS: Record<JsonRow["kind"], string> = {
  object: "text-faint",
  list: "text-faint",
  text: "text-text",
  number: "text-text font-medium",
  boolean: "text-text font-medium italic",
  null: "text-faint italic",
  more: "text-faint italic",
};

function TableView({ table, label }: { table: Table; label: string }) {
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: table.rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => 26,
    overscan: 10,
  });
  const items = virtual.getVirtualItems();
  const before = items[0]?.start ?? 0;
  const after = virtual.getTotalSize() - (items.at(-1)?.end ?? 0);
  return (
    <>
      <p className="text-muted">
        {count(table.rows.length, "row")} · {count(table.columns.length, "column")}
      </p>
      <section
        ref={scroller}
        tabIndex={0}
        aria-label={label}
        className="min-h-24 flex-1 overflow-auto rounded-lg border border-line bg-sunken text-xs"
      >
        <table className="min-w-full border-collapse">
          <thead>
            <tr>
              <th className="sticky top-0 bg-panel px-2 py-1 text-right font-medium text-faint">#</th>
              {table.columns.map((column) => (
                <th
                  key={column}
                  className="sticky top-0 max-w-60 truncate bg-panel px-2 py-1 text-left font-medium text-muted"
                >
                  {column}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {before > 0 && <tr style={{ height: before }} />}
            {items.map((item) => (
              <tr key={item.key} className="h-[26px] border-t border-line hover:bg-hover">
                <td className="px-2 text-right text-faint">{item.index}</td>
                {table.columns.map((column) => {
                  const value = table.rows[item.index][column];
                  return (
                    <td
                      key={column}
                      className={`max-w-60 truncate px-2 ${typeof value === "number" ? "text-right" : ""}`}
                      title={cellOf(value)}
                    >
                      {cellOf(value)}
                    </td>
                  );
                })}
              </tr>
            ))}
            {after > 0 && <tr style={{ height: after }} />}
          </tbody>
        </table>
      </section>
    </>
  );
}

const MOST_SHOWN = 200_000;

function TextView({ value }: { value: Json }) {
  const text = useMemo(() => (typeof value === "string" ? value : JSON.stringify(value, null, 2)), [value]);
  return (
    <pre
      tabIndex={0}
      className="min-h-24 flex-1 overflow-auto rounded-lg border border-line bg-sunken p-2.5 font-mono text-xs break-words whitespace-pre-wrap"
    >
      {text.slice(0, MOST_SHOWN)}
      {text.length > MOST_SHOWN && "\n… copy it to have all of it"}
    </pre>
  );
}

export function CopyButton({
  text,
  label,
  plain = false,
}: {
  text: () => string;
  label: string;
  plain?: boolean;
}) {
  const [done, setDone] = useState(false);
  const copy = useCallback(async () => {
    await navigator.clipboard.writeText(text());
    setDone(true);
    setTimeout(() => setDone(false), 1_200);
  }, [text]);
  const Icon = done ? Check : Copy;
  return (
    <button
      type="button"
      tabIndex={plain ? -1 : 0}
      aria-label={done ? "Copied" : label}
      title={done ? "Copied" : label}
      className={
        plain
          ? "grid size-[22px] place-items-center rounded bg-panel text-muted"
          : "rev-button rev-button-small rev-button-icon"
      }
      onClick={(event) => {
        event.stopPropagation();
        void copy();
      }}
    >
      <Icon size={13} aria-hidden />
    </button>
  );
}
