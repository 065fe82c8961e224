/** What the canvas can do, and every node on it, for the command menu. */

import { useCallback } from "react";
import type { Editor } from "../../canvas/editor.ts";
import { titleOf } from "../../canvas/graph.ts";
import type { CanvasHandle } from "../../canvas/surface.ts";
import type { RunStore } from "../../execution/run-store.ts";
import { type Command, useCommands } from "../commands.ts";
import type { Services } from "../services.tsx";

const exports = () => import("./exports.ts");

export function useCanvasCommands(
  editor: Editor,
  store: RunStore | null,
  canvas: CanvasHandle | null,
  services: Services,
): void {
  useCommands(
    useCallback(() => {
      if (!canvas) return [];
      const { graph } = editor;
      const commands: Command[] = [];
      const offer = (id: string, title: string, keys: string, run: () => void) =>
        commands.push({ id: `canvas:${id}`, title, group: "Canvas", ...(keys ? { keys } : {}), run });
      if (!editor.readOnly) {
        offer("add", "Add a node", "N", canvas.openPalette);
        offer("tidy", "Tidy up the layout", "T", canvas.tidy);
      }
      if (store) offer("error", "Go to the next error", "E", canvas.nextError);
      offer("fit", "Show the whole graph", "F", canvas.fit);
      offer("outline", "Outline: the graph as a list", "O", canvas.toggleOutline);
      offer("json", "Export as JSON", "", () => void exports().then((to) => to.saveAsJson(graph)));
      offer(
        "svg",
        "Export as SVG",
        "",
        () => void exports().then((to) => to.saveAsSvg(graph, services.catalogue, store)),
      );
      for (const node of graph.nodes) {
        commands.push({
          id: `node:${node.id}`,
          title: titleOf(node),
          group: "Nodes",
          words: `${node.id} ${node.data.type}`,
          run: () => canvas.show(node.id),
        });
      }
      return commands;
    }, [editor, store, canvas, services]),
  );
}
