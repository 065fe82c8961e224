/** What the first page will ask for, asked for while the rest is still being loaded. */

import type { Api } from "../execution/api.ts";

let early: { readonly key: string; readonly answer: Promise<unknown> } | null = null;

/** `path` is below where the studio is mounted. */
export function beginEarly(api: Api, path: string): void {
  const [, section, part] = /^(workflows|runs)\/([^/]+)$/.exec(path) ?? [];
  if (!part || part === "compare") return;
  const id = decodeURIComponent(part);
  const answer = section === "runs" ? api.definition(id) : api.workflow(id);
  answer.catch(() => {}); // whoever takes it is told
  early = { key: `${section}/${id}`, answer };
  if (section === "workflows") void import("./pages/workflow-page.tsx");
  else {
    void import("./pages/run-page.tsx");
    void import("../timeline/dock.tsx");
  }
}

/** What was asked for, once: whoever comes later wants what is there then. */
export function takeEarly<Answer>(section: "workflows" | "runs", id: string): Promise<Answer> | null {
  const taken = early?.key === `${section}/${id}` ? early.answer : null;
  early = null;
  return taken as Promise<Answer> | null;
}
