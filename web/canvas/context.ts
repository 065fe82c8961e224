/** What every card needs and no card is given: they are made by React Flow, which only knows places. */

import { createContext, useContext } from "react";
import type { RunStore } from "../execution/run-store.ts";
import type { Selection } from "../execution/selection.ts";
import type { Problem } from "../protocol/document.ts";
import type { Editor } from "./editor.ts";
import type { Catalogue } from "./places.ts";

export interface CanvasContext {
  readonly editor: Editor;
  readonly store: RunStore | null;
  readonly selection: Selection;
  readonly catalogue: Catalogue;
  readonly stale: boolean;
  /** Milliseconds between two looks at a clock. */
  readonly refresh: number;
  /** The server's time less ours. */
  readonly skew: number;
  /** The past that is shown; 0: it is now. */
  readonly instant: number;
  readonly problems: ReadonlyMap<string, readonly Problem[]>;
  readonly onRunNode: ((nodeId: string) => void) | null;
  /** A way out was pressed without being dragged: add what comes next. */
  readonly onAddAfter: (nodeId: string, handle: string) => void;
}

const Context = createContext<CanvasContext | null>(null);

export const CanvasProvider = Context.Provider;

export function useCanvas(): CanvasContext {
  const context = useContext(Context);
  if (!context) throw new Error("outside of the canvas");
  return context;
}
