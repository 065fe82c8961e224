/** The graph, for editing and live. */

import { useSyncExternalStore } from "react";
import { useRunVersion, useSelected } from "../execution/react/hooks.ts";
import type { RunStore } from "../execution/run-store.ts";
import type { Selection } from "../execution/selection.ts";
import type { NodeType, Problem } from "../protocol/document.ts";
import { NodeBadge } from "../theme/status.tsx";
import type { Editor } from "./editor.ts";
import { titleOf } from "./graph.ts";

export interface CanvasProps {
  readonly editor: Editor;
  readonly store: RunStore | null;
  readonly stale: boolean;
  readonly selection: Selection;
  readonly problems: readonly Problem[];
  readonly catalogue: ReadonlyMap<string, NodeType>;
  readonly onRunNode?: (nodeId: string) => void;
}

export function Canvas({ editor, store, selection }: CanvasProps) {
  const graph = useSyncExternalStore(editor.subscribe, () => editor.graph);
  const selected = useSelected(selection);
  useRunVersion(store);
  return (
    <ul className="flex-1 overflow-auto p-4">
      {graph.nodes.map((node) => {
        const row = store?.row(node.id);
        return (
          <li key={node.id}>
            <button
              type="button"
              aria-pressed={selected.has(node.id)}
              className="rev-button mb-1"
              onClick={() => selection.select(node.id)}
            >
              {titleOf(node)} {row && <NodeBadge code={row.code} detail={row.detail} />}
            </button>
          </li>
        );
      })}
    </ul>
  );
}
