/** The studio's own canvas, to look at. Loaded when there is a graph. */

import { useMemo } from "react";
import { Canvas } from "../canvas/canvas.tsx";
import { Editor } from "../canvas/editor.ts";
import { graphOf } from "../canvas/graph.ts";
import { tidied } from "../canvas/layout.ts";
import type { RunStore } from "../execution/run-store.ts";
import { Selection } from "../execution/selection.ts";
import type { NodeType, WorkflowDocument } from "../protocol/document.ts";

const NO_TYPES: ReadonlyMap<string, NodeType> = new Map();
const NO_PROBLEMS = new Map<string, never[]>();

interface LiveGraphProps {
  readonly document: WorkflowDocument;
  readonly store: RunStore | null;
  readonly stale: boolean;
}

export default function LiveGraph({ document, store, stale }: LiveGraphProps) {
  const editor = useMemo(() => {
    const parents = new Set(document.nodes.map((node) => node.parentId));
    const containers = new Set(
      document.nodes.filter((node) => parents.has(node.id)).map((node) => node.data.type),
    );
    return new Editor(
      tidied(graphOf(document), (type) => containers.has(type)),
      true,
    );
  }, [document]);
  const selection = useMemo(() => new Selection(), []);
  return (
    <Canvas
      editor={editor}
      store={store}
      stale={stale}
      selection={selection}
      problems={NO_PROBLEMS}
      catalogue={NO_TYPES}
    />
  );
}
