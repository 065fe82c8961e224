/** A workflow as files: its document, and a drawing of it. */

import { drawing } from "../../canvas/drawing.ts";
import { documentOf, type Graph } from "../../canvas/graph.ts";
import type { Catalogue } from "../../canvas/places.ts";
import type { RunStore } from "../../execution/run-store.ts";

export function saveAsJson(graph: Graph): void {
  save(`${graph.rest.id}.json`, "application/json", `${JSON.stringify(documentOf(graph), null, 2)}\n`);
}

/** With the statuses of the run that is shown, if there is one. */
export function saveAsSvg(graph: Graph, catalogue: Catalogue, store: RunStore | null): void {
  save(`${graph.rest.id}.svg`, "image/svg+xml", drawing(graph, catalogue, store));
}

function save(name: string, type: string, text: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
