/** A JSON value as the rows of a tree: only what is open, and what is searched for. */

import type { Json } from "../protocol/document.ts";

export interface JsonRow {
  /** As an expression reaches it: `order.items[0].sku`. */
  readonly path: string;
  readonly label: string;
  readonly depth: number;
  readonly kind: "object" | "list" | "text" | "number" | "boolean" | "null" | "more";
  /** The value of a leaf, or how much is in it. */
  readonly text: string;
  readonly open: boolean;
  readonly value: Json;
}

/** Members shown of one list or object; beyond them a row says how many there are. */
export const MOST_MEMBERS = 5_000;
const MOST_TEXT = 400;

export function rowsOf(
  value: Json,
  root: string,
  isOpen: (path: string, depth: number) => boolean,
): JsonRow[] {
  const rows: JsonRow[] = [];
  visit(value, root, "", 0);
  return rows;

  function visit(one: Json, path: string, label: string, depth: number): void {
    const members = membersOf(one, path);
    const open = members !== null && members.length > 0 && isOpen(path, depth);
    rows.push({ path, label, depth, kind: kindOf(one), text: textOf(one), open, value: one });
    if (!open) return;
    for (const [key, below, member] of members.slice(0, MOST_MEMBERS)) visit(member, below, key, depth + 1);
    if (members.length > MOST_MEMBERS)
      rows.push({
        path: `${path}…`,
        label: "",
        depth: depth + 1,
        kind: "more",
        text: `${members.length - MOST_MEMBERS} more`,
        open: false,
        value: null,
      });
  }
}

/** The paths whose key or value has the text in it, and all that leads there. */
export function search(
  value: Json,
  root: string,
  text: string,
  most = 1_000,
): { hits: Set<string>; way: Set<string> } {
  const wanted = text.toLowerCase();
  const hits = new Set<string>();
  const way = new Set<string>();
  visit(value, root, "");
  return { hits, way };

  function visit(one: Json, path: string, label: string): boolean {
    if (hits.size >= most) return false;
    const members = membersOf(one, path);
    const here =
      label.toLowerCase().includes(wanted) ||
      (members === null && String(one).toLowerCase().includes(wanted));
    if (here) hits.add(path);
    let below = false;
    for (const [key, inner, member] of members ?? []) below = visit(member, inner, key) || below;
    if (below) way.add(path);
    return here || below;
  }
}

type Member = readonly [key: string, path: string, value: Json];

function membersOf(value: Json, path: string): Member[] | null {
  if (Array.isArray(value)) return value.map((member, n) => [String(n), `${path}[${n}]`, member]);
  if (value === null || typeof value !== "object") return null;
  return Object.entries(value).map(([key, member]) => [key, joined(path, key), member]);
}

const PLAIN = /^[A-Za-z_$][\w$]*$/;

export function joined(path: string, key: string): string {
  if (PLAIN.test(key)) return path ? `${path}.${key}` : key;
  return `${path}[${JSON.stringify(key)}]`;
}

export function kindOf(value: Json): JsonRow["kind"] {
  if (value === null) return "null";
  if (Array.isArray(value)) return "list";
  if (typeof value === "string") return "text";
  if (typeof value === "object") return "object";
  return typeof value === "number" ? "number" : "boolean";
}

function textOf(value: Json): string {
  if (Array.isArray(value)) return `[${value.length}]`;
  if (value !== null && typeof value === "object") return `{${Object.keys(value).length}}`;
  if (typeof value !== "string") return String(value);
  return value.length > MOST_TEXT ? `${value.slice(0, MOST_TEXT)}… (${value.length} characters)` : value;
}

export interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly { readonly [key: string]: Json }[];
}

const LOOKED_AT = 100;
const MOST_COLUMNS = 40;

/** A list of objects as a table; null for anything else. */
export function tableOf(value: Json): Table | null {
  if (!Array.isArray(value) || value.length === 0) return null;
  const isObject = (one: Json) => one !== null && typeof one === "object" && !Array.isArray(one);
  if (!value.slice(0, LOOKED_AT).every(isObject) || !value.every(isObject)) return null;
  const columns = new Set<string>();
  for (const row of value.slice(0, LOOKED_AT)) for (const key of Object.keys(row as object)) columns.add(key);
  return { columns: [...columns].slice(0, MOST_COLUMNS), rows: value as { [key: string]: Json }[] };
}

/** A cell's text. */
export function cellOf(value: Json | undefined): string {
  if (value === undefined) return "";
  if (value !== null && typeof value === "object") return JSON.stringify(value).slice(0, MOST_TEXT);
  return textOf(value);
}
