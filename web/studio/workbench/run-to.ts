/** Run to the selected node: by its key, and in the command menu. */

import { useCallback, useEffect } from "react";
import type { Editor } from "../../canvas/editor.ts";
import { nodeOf, titleOf } from "../../canvas/graph.ts";
import type { Selection } from "../../execution/selection.ts";
import { useCommands } from "../commands.ts";

export function useRunTo(
  editor: Editor,
  selection: Selection,
  runTo: ((nodeId: string) => void) | undefined,
): void {
  /** What is selected, unless it is in a body: those run as a whole. */
  const target = useCallback(() => {
    const node = nodeOf(editor.graph, selection.primary);
    return node?.parentId === undefined ? node : undefined;
  }, [editor, selection]);
  useCommands(
    useCallback(() => {
      const node = target();
      if (!node || !runTo) return [];
      const title = `Run to “${titleOf(node)}”, and no further`;
      return [{ id: "run-to", title, group: "Run", keys: "Ctrl Shift Enter", run: () => runTo(node.id) }];
    }, [target, runTo]),
  );
  useEffect(() => {
    if (!runTo) return;
    const onKey = (event: KeyboardEvent) => {
      if (!(event.ctrlKey || event.metaKey) || !event.shiftKey || event.key !== "Enter") return;
      const node = target();
      if (!node) return;
      event.preventDefault();
      runTo(node.id);
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [target, runTo]);
}
