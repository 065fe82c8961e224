/** What is known of the selected node: its settings while it is edited, its data while it runs. */

import type { Editor } from "../canvas/editor.ts";
import { nodeOf, titleOf } from "../canvas/graph.ts";
import { useNodeRow, usePrimary } from "../execution/react/hooks.ts";
import type { RunStore } from "../execution/run-store.ts";
import type { Selection } from "../execution/selection.ts";
import type { Problem } from "../protocol/document.ts";
import { NodeBadge } from "../theme/status.tsx";

export interface InspectorProps {
  readonly editor: Editor;
  readonly store: RunStore | null;
  readonly selection: Selection;
  readonly problems: readonly Problem[];
  readonly stale: boolean;
}

export function Inspector({ editor, store, selection }: InspectorProps) {
  const id = usePrimary(selection);
  const row = useNodeRow(store, id);
  const node = nodeOf(editor.graph, id);
  if (!node) return null;
  return (
    <aside aria-label="Inspector" className="flex min-h-0 flex-1 flex-col overflow-auto bg-panel p-4">
      <h2 className="text-sm font-semibold">{titleOf(node)}</h2>
      <p className="mb-3 text-muted">{node.data.type}</p>
      {row && <NodeBadge code={row.code} detail={row.detail} />}
      {row?.error && <p className="mt-2 whitespace-pre-wrap text-error-ink">{row.error}</p>}
    </aside>
  );
}
