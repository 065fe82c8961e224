/** What the first page will ask for, asked for while the rest is still being loaded. */

import type { Api, StoredWorkflow } from "../execution/api.ts";

let early: { readonly id: string; readonly document: Promise<StoredWorkflow> } | null = null;

/** `path` is below where the studio is mounted. */
export function beginEarly(api: Api, path: string): void {
  const [, id] = /^workflows\/([^/]+)$/.exec(path) ?? [];
  if (!id) return;
  void import("./pages/workflow-page.tsx");
  const document = api.workflow(decodeURIComponent(id));
  document.catch(() => {}); // whoever takes it is told
  early = { id: decodeURIComponent(id), document };
}

/** The document that was asked for, once: whoever comes later wants what is there then. */
export function takeEarly(id: string): Promise<StoredWorkflow> | null {
  const taken = early?.id === id ? early.document : null;
  early = null;
  return taken;
}
