/** The dock below the canvas: Timeline, Logs and Events of the run. */

import type { Editor } from "../canvas/editor.ts";
import { useLogLines } from "../execution/react/hooks.ts";
import type { RunStore } from "../execution/run-store.ts";
import type { Selection } from "../execution/selection.ts";
import { clock } from "../theme/format.ts";

export interface DockProps {
  readonly editor: Editor;
  readonly store: RunStore;
  readonly selection: Selection;
  readonly stale: boolean;
}

export function Dock({ store }: DockProps) {
  const lines = useLogLines(store);
  return (
    <section
      aria-label="Dock"
      className="flex min-h-0 flex-1 flex-col overflow-auto bg-panel p-3 font-mono text-xs"
    >
      {lines.slice(-200).map((line, index) => (
        <div key={index} className="whitespace-pre-wrap">
          <span className="text-faint">{clock(line.timestamp)} </span>
          {line.nodeId}: {line.text}
        </div>
      ))}
    </section>
  );
}
