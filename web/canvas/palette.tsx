/** What can be built with: search and Enter, or drag to where it is to be. */

import { X } from "lucide-react";
import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from "react";
import type { NodeType } from "../protocol/document.ts";
import { glyphOf } from "./glyphs.ts";
import { NODE_MIME } from "./ground-events.ts";
import type { Catalogue } from "./places.ts";

interface PaletteProps {
  readonly catalogue: Catalogue;
  readonly onAdd: (type: NodeType) => void;
  readonly onClose: () => void;
  /** The title of the node that it comes after, or empty. */
  readonly after: string;
}

export function Palette({ catalogue, onAdd, onClose, after }: PaletteProps) {
  const [search, setSearch] = useState("");
  const [at, setAt] = useState(0);
  const list = useRef<HTMLDivElement>(null);
  const found = useMemo(
    () => matches([...catalogue.values()], search, after !== ""),
    [catalogue, search, after],
  );
  const chosen = Math.min(at, found.length - 1);
  useEffect(() => {
    list.current?.querySelector(`[data-at="${chosen}"]`)?.scrollIntoView({ block: "nearest" });
  }, [chosen]);
  const onKey = (event: KeyboardEvent) => {
    const act = {
      ArrowDown: () => setAt((chosen + 1) % found.length),
      ArrowUp: () => setAt((chosen - 1 + found.length) % found.length),
      Enter: () => found[chosen] && onAdd(found[chosen]),
      Escape: onClose,
    }[event.key];
    event.stopPropagation();
    if (!act) return;
    event.preventDefault();
    act();
  };
  return (
    <section className="rev-palette" aria-label="Add a node" onKeyDown={onKey}>
      <header className="rev-palette-head">
        <span>{after ? `Add after “${after}”` : "Add a node"}</span>
        <button type="button" className="rev-tool" aria-label="Close" onClick={onClose}>
          <X size={15} aria-hidden />
        </button>
      </header>
      <input
        className="rev-input rev-palette-search"
        type="search"
        placeholder="Search node types"
        aria-label="Search node types"
        role="combobox"
        aria-expanded="true"
        aria-controls="rev-palette-list"
        aria-activedescendant={found[chosen] ? `rev-type-${found[chosen].type}` : undefined}
        autoFocus
        value={search}
        onChange={(event) => {
          setSearch(event.target.value);
          setAt(0);
        }}
      />
      <div
        ref={list}
        id="rev-palette-list"
        className="rev-palette-list"
        role="listbox"
        aria-label="Node types"
      >
        {found.map((type, n) => (
          <Entry
            key={type.type}
            type={type}
            at={n}
            chosen={n === chosen}
            heading={search === "" && type.category !== found[n - 1]?.category}
            onAdd={onAdd}
          />
        ))}
        {found.length === 0 && <p className="rev-palette-none">No node type has that name</p>}
      </div>
    </section>
  );
}

interface EntryProps {
  readonly type: NodeType;
  readonly at: number;
  readonly chosen: boolean;
  readonly heading: boolean;
  readonly onAdd: (type: NodeType) => void;
}

function Entry({ type, at, chosen, heading, onAdd }: EntryProps) {
  const Glyph = glyphOf(type.icon);
  return (
    <>
      {heading && (
        <div className="rev-palette-group" role="presentation">
          {type.category}
        </div>
      )}
      {/* biome-ignore lint/a11y/useFocusableInteractive: the search field keeps the focus, and names this by its id */}
      {/* biome-ignore lint/a11y/useKeyWithClickEvents: the keys are the search field's */}
      <div
        id={`rev-type-${type.type}`}
        role="option"
        aria-selected={chosen}
        data-at={at}
        className="rev-palette-entry"
        draggable
        onDragStart={(event) => {
          event.dataTransfer.setData(NODE_MIME, type.type);
          event.dataTransfer.effectAllowed = "copy";
        }}
        onClick={() => onAdd(type)}
      >
        <span className="rev-glyph">
          <Glyph size={16} aria-hidden />
        </span>
        <span className="rev-palette-words">
          <span className="rev-palette-title">{type.title}</span>
          <span className="rev-palette-what">{firstSentence(type.description)}</span>
        </span>
      </div>
    </>
  );
}

/** What most workflows begin with. */
const COMMONEST = "manual_trigger";
const FIRST = ["trigger", "flow", "data", "network"];

/** In the order of categories without a search, by how well they match with one. */
function matches(types: readonly NodeType[], search: string, after: boolean): NodeType[] {
  const usable = after
    ? types.filter((type) => type.role !== "trigger" && type.role !== "error_trigger")
    : types;
  const wanted = search.trim().toLowerCase();
  if (!wanted)
    return [...usable].sort(
      (a, b) =>
        rank(a) - rank(b) ||
        a.category.localeCompare(b.category) ||
        Number(b.type === COMMONEST) - Number(a.type === COMMONEST) ||
        a.title.localeCompare(b.title),
    );
  return usable
    .map((type) => ({ type, score: score(type, wanted) }))
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score || a.type.title.localeCompare(b.type.title))
    .map(({ type }) => type);
}

function rank(type: NodeType): number {
  const at = FIRST.indexOf(type.category);
  return at < 0 ? FIRST.length : at;
}

function score(type: NodeType, wanted: string): number {
  const title = type.title.toLowerCase();
  if (title.startsWith(wanted)) return 4;
  if (title.includes(wanted)) return 3;
  if (type.type.includes(wanted.replace(/ /g, "_"))) return 2;
  return `${type.description} ${type.category}`.toLowerCase().includes(wanted) ? 1 : 0;
}

export function firstSentence(text: string): string {
  return text
    .replace(/\s+/g, " ")
    .split(/(?<=\.) /)[0]
    .replace(/`/g, "");
}
