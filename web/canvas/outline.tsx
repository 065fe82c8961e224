/** The graph as a list: what can be seen on the canvas, for those who cannot see it, and for finding one's way. */

import { useVirtualizer } from "@tanstack/react-virtual";
import { X } from "lucide-react";
import { type KeyboardEvent, useMemo, useRef } from "react";
import { useNodeRow, useSelected } from "../execution/react/hooks.ts";
import { IDLE, STATUSES } from "../execution/status.ts";
import { nodeWords } from "../theme/node-words.ts";
import { StatusIcon } from "../theme/status.tsx";
import { useCanvas } from "./context.ts";
import { type Graph, indexOf, titleOf } from "./graph.ts";

const ROW = 30;

interface OutlineProps {
  readonly graph: Graph;
  readonly onShow: (nodeId: string) => void;
  readonly onClose: () => void;
}

interface Line {
  readonly id: string;
  readonly depth: number;
}

export function Outline({ graph, onShow, onClose }: OutlineProps) {
  const { selection } = useCanvas();
  const lines = useMemo(() => linesOf(graph), [graph]);
  const selected = useSelected(selection);
  const box = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({
    count: lines.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW,
    overscan: 12,
  });
  const at = Math.max(
    0,
    lines.findIndex((line) => line.id === selection.primary),
  );
  const onKey = (event: KeyboardEvent) => {
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: lines.length - 1 }[event.key];
    event.stopPropagation();
    if (event.key === "Escape") onClose();
    if (event.key === "Enter" && lines[at]) onShow(lines[at].id);
    if (to === undefined || !lines[to]) return;
    event.preventDefault();
    selection.select(lines[to].id);
    rows.scrollToIndex(to);
  };
  return (
    <section className="rev-palette rev-outline" aria-label="Outline">
      <header className="rev-palette-head">
        <span>Outline</span>
        <button type="button" className="rev-tool" aria-label="Close" onClick={onClose}>
          <X size={15} aria-hidden />
        </button>
      </header>
      <div
        ref={box}
        className="rev-palette-list"
        role="tree"
        aria-label="Nodes"
        tabIndex={0}
        aria-activedescendant={lines[at] ? `rev-outline-${lines[at].id}` : undefined}
        onKeyDown={onKey}
      >
        <div className="rev-outline-all" style={{ height: rows.getTotalSize() }} role="presentation">
          {rows.getVirtualItems().map(({ index, start }) => (
            <Entry
              key={lines[index].id}
              line={lines[index]}
              at={index}
              of={lines.length}
              top={start}
              graph={graph}
              selected={selected.has(lines[index].id)}
              onShow={onShow}
            />
          ))}
        </div>
      </div>
    </section>
  );
}

interface EntryProps {
  readonly line: Line;
  readonly at: number;
  readonly of: number;
  readonly top: number;
  readonly graph: Graph;
  readonly selected: boolean;
  readonly onShow: (nodeId: string) => void;
}

function Entry({ line, at, of, top, graph, selected, onShow }: EntryProps) {
  const { store, catalogue } = useCanvas();
  const row = useNodeRow(store, line.id);
  const { number, outgoing } = indexOf(graph);
  const node = graph.nodes[number.get(line.id)!];
  const code = row?.code ?? IDLE;
  const kind = catalogue.get(node.data.type)?.title ?? node.data.type;
  const next = (outgoing.get(line.id) ?? []).map((edge) =>
    titleOf(graph.nodes[number.get(edge.target) ?? 0]),
  );
  const words = [kind, ...(row ? [nodeWords(row)] : []), ...(next.length ? [`then ${next.join(", ")}`] : [])];
  return (
    // biome-ignore lint/a11y/useFocusableInteractive: the tree keeps the focus, and names this by its id
    // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are the tree's
    <div
      id={`rev-outline-${line.id}`}
      role="treeitem"
      aria-level={line.depth + 1}
      aria-posinset={at + 1}
      aria-setsize={of}
      aria-selected={selected}
      aria-label={`${titleOf(node)}: ${words.join(", ")}`}
      className="rev-palette-entry rev-outline-entry"
      style={{ transform: `translateY(${top}px)`, paddingLeft: 8 + 16 * line.depth }}
      onClick={() => onShow(line.id)}
    >
      <StatusIcon status={STATUSES[code]} size={13} />
      <span className="rev-palette-title">{titleOf(node)}</span>
    </div>
  );
}

/** In the order of the definition, bodies below their containers. */
function linesOf(graph: Graph): Line[] {
  const { parents, bodies } = indexOf(graph);
  const lines: Line[] = [];
  const put = (n: number, depth: number): void => {
    lines.push({ id: graph.nodes[n].id, depth });
    for (const child of bodies.get(graph.nodes[n].id) ?? []) put(child, depth + 1);
  };
  for (let n = 0; n < graph.nodes.length; n += 1) if (parents[n] < 0) put(n, 0);
  return lines;
}
