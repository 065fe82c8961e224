/** Connecting by keyboard: choose what comes next by its name. */

import { type KeyboardEvent, useMemo, useState } from "react";
import { refusalOf } from "./editor.ts";
import { type Graph, nodeOf, titleOf } from "./graph.ts";

interface ConnectorProps {
  readonly graph: Graph;
  readonly from: string;
  /** The id, or empty for none. */
  readonly onChoose: (nodeId: string) => void;
}

export function Connector({ graph, from, onChoose }: ConnectorProps) {
  const [search, setSearch] = useState("");
  const [at, setAt] = useState(0);
  const possible = useMemo(
    () => graph.nodes.filter((node) => refusalOf(graph, { source: from, target: node.id }) === ""),
    [graph, from],
  );
  const found = possible
    .filter((node) => titleOf(node).toLowerCase().includes(search.toLowerCase()))
    .slice(0, 50);
  const chosen = Math.min(at, found.length - 1);
  const source = nodeOf(graph, from);
  const onKey = (event: KeyboardEvent) => {
    event.stopPropagation();
    const act = {
      ArrowDown: () => setAt((chosen + 1) % found.length),
      ArrowUp: () => setAt((chosen - 1 + found.length) % found.length),
      Enter: () => onChoose(found[chosen]?.id ?? ""),
      Escape: () => onChoose(""),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  };
  return (
    <section className="rev-palette" aria-label="Connect" onKeyDown={onKey}>
      <header className="rev-palette-head">Connect “{source ? titleOf(source) : from}” to</header>
      <input
        className="rev-input rev-palette-search"
        type="search"
        aria-label="Connect to"
        placeholder="Name of a node"
        autoFocus
        value={search}
        onChange={(event) => setSearch(event.target.value)}
        onBlur={() => onChoose("")}
      />
      <div className="rev-palette-list" role="listbox" aria-label="Nodes">
        {found.map((node, n) => (
          // biome-ignore lint/a11y/useFocusableInteractive: the search field keeps the focus
          <div
            key={node.id}
            role="option"
            aria-selected={n === chosen}
            className="rev-palette-entry"
            onPointerDown={() => onChoose(node.id)}
          >
            <span className="rev-palette-title">{titleOf(node)}</span>
          </div>
        ))}
        {found.length === 0 && <p className="rev-palette-none">There is nothing it could lead to</p>}
      </div>
    </section>
  );
}
