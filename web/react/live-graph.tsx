/** The studio's own canvas, to look at. Loaded when there is a graph. */

import { useMemo } from "react";
import { Canvas } from "../canvas/canvas.tsx";
import { Editor } from "../canvas/editor.ts";
import { graphOf } from "../canvas/graph.ts";
import { tidied } from "../canvas/layout.ts";
import type { RunStore } from "../execution/run-store.ts";
import { Selection } from "../execution/selection.ts";
import type { NodeType, WorkflowDocument } from "../protocol/document.ts";

const NO_PROBLEMS = new Map<string, never[]>();

interface LiveGraphProps {
  readonly document: WorkflowDocument;
  readonly catalogue: ReadonlyMap<string, NodeType>;
  readonly store: RunStore | null;
  readonly stale: boolean;
}

export default function LiveGraph({ document, catalogue, store, stale }: LiveGraphProps) {
  const editor = useMemo(() => {
    const isContainer = (type: string) => catalogue.get(type)?.role === "container";
    return new Editor(tidied(graphOf(document), isContainer), true);
  }, [document, catalogue]);
  const selection = useMemo(() => new Selection(), []);
  return (
    <Canvas
      editor={editor}
      store={store}
      stale={stale}
      selection={selection}
      problems={NO_PROBLEMS}
      catalogue={catalogue}
    />
  );
}
