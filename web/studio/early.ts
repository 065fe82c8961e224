/** What the first page will ask for, asked for while the rest is still being loaded. */

import { Api, ApiError } from "../execution/api.ts";

/** Where the server is mounted: it writes so into the page. */
export const root = new URL(
  document.querySelector<HTMLMetaElement>("meta[name=flowscope-root]")?.content || "/",
  location.href,
);
export const api = new Api(root.href);

const early = new Map<string, Promise<unknown>>();

/** `path` is below where the studio is mounted. */
export function beginEarly(path: string): void {
  ask("config", api.config());
  ask("nodes", api.nodeTypes());
  const [, section, part] = /^(workflows|runs)\/([^/]+)$/.exec(path) ?? [];
  if (!part || part === "compare") return;
  const id = decodeURIComponent(part);
  if (section === "workflows") {
    ask(`workflows/${id}`, api.workflow(id));
    void import("./pages/workflow-page.tsx");
  } else {
    ask(`runs/${id}`, api.definition(id));
    void import("./pages/run-page.tsx");
    void import("../timeline/dock.tsx");
  }
}

function ask(key: string, answer: Promise<unknown>): void {
  answer.catch(() => {}); // whoever takes it is told
  early.set(key, answer);
}

/** What was asked for, once: whoever comes later asks for what is there then. */
export function takeEarly<Answer>(key: string, later: () => Promise<Answer>): Promise<Answer> {
  const taken = early.get(key) as Promise<Answer> | undefined;
  early.delete(key);
  // Nobody had heard yet that a key is needed.
  return (
    taken?.catch((failed) => {
      if (failed instanceof ApiError && failed.status === 401) api.onUnauthorized();
      throw failed;
    }) ?? later()
  );
}
