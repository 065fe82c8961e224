/**
 * The draft on the server: saved a moment after each change, never over somebody else's. The saves of one sitting are one
 * version, until it is run, made active, or kept. Whoever leaves is asked first, if something would be lost by it.
 */

import { useBlocker } from "@tanstack/react-router";
import { lazy, Suspense, useCallback, useEffect, useMemo, useState, useSyncExternalStore } from "react";
import type { Editor } from "../../canvas/editor.ts";
import { documentOf, type Graph, graphOf } from "../../canvas/graph.ts";
import { located } from "../../canvas/problems.ts";
import { type Api, ApiError, type StoredWorkflow } from "../../execution/api.ts";
import type { Problem } from "../../protocol/document.ts";
import { instant } from "../../theme/format.ts";
import { useCommands } from "../commands.ts";
import { useServices } from "../services.tsx";

const Versions = lazy(async () => ({ default: (await import("./versions.tsx")).Versions }));

const SAVE_AFTER = 800;

type State = "saved" | "waiting" | "saving" | "conflict" | "failed";

export class Draft {
  state: State = "saved";
  message = "";
  version: number;
  savedAt: string;
  activeVersion: number | null;
  problems: readonly Problem[];
  #etag: string;
  #saved: Graph;
  #saving: Promise<void> | null = null;
  /** What is on its way. */
  #sent: Graph | null = null;
  #shown = false;
  /** It is tried again by itself. */
  #again = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #editor: Editor;
  readonly #api: Api;
  readonly #listeners = new Set<() => void>();
  #revision = 0;

  constructor(editor: Editor, api: Api, stored: StoredWorkflow) {
    this.#editor = editor;
    this.#api = api;
    this.#saved = editor.graph;
    this.version = stored.version;
    this.#etag = stored.etag;
    this.savedAt = stored.updatedAt;
    this.activeVersion = stored.activeVersion;
    this.problems = located(stored.problems, editor.graph);
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  revision = (): number => this.#revision;

  /** Save what has changed, a moment after the last change. */
  start(): () => void {
    this.#shown = true;
    const release = this.#editor.subscribe(() => {
      if (this.#editor.graph === this.#saved || this.state === "conflict") return;
      this.#tell("waiting");
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => void this.#save(), SAVE_AFTER);
    });
    // Whoever leaves has not to wait.
    const leave = () => document.hidden && this.state === "waiting" && void this.#save();
    document.addEventListener("visibilitychange", leave);
    return () => {
      release();
      document.removeEventListener("visibilitychange", leave);
      clearTimeout(this.#timer);
      this.#shown = false;
      if (this.state === "conflict") this.#tell("conflict", this.message);
      else if (this.#editor.graph !== this.#saved) void this.#save();
    };
  }

  /** What was changed cannot be saved, and goes with the page. */
  get doomed(): boolean {
    const stuck = this.state === "conflict" || (this.state === "failed" && !this.#again);
    return stuck && this.#editor.graph !== this.#saved;
  }

  /** Have the one that somebody else has saved instead. */
  giveUp(): void {
    this.#saved = this.#editor.graph;
    this.#tell("saved");
    location.reload();
  }

  /** The version that holds everything on the screen, saved now if it is not yet. */
  async saved(): Promise<number> {
    clearTimeout(this.#timer);
    while (this.#editor.graph !== this.#saved) {
      await this.#save();
      if (this.state === "conflict" || this.state === "failed") throw new Error(this.message);
    }
    return this.version;
  }

  /** Save over what somebody else has saved, which stays a version. */
  async overwrite(): Promise<void> {
    const theirs = await this.#api.workflow(this.#editor.graph.rest.id);
    this.#etag = (await this.#api.save(documentOf(graphOf(theirs)), theirs.etag, false)).etag;
    this.state = "waiting";
    await this.#save();
  }

  /** Have what is on the screen stay a version, whatever is changed after it. */
  async keep(): Promise<void> {
    await this.saved();
    await this.#put(this.#editor.graph, false);
  }

  async activate(): Promise<void> {
    const version = await this.saved();
    try {
      this.activeVersion = (await this.#api.activate(this.#editor.graph.rest.id, version)).activeVersion;
      this.#tell("saved");
    } catch (error) {
      this.#tell("failed", error instanceof Error ? error.message : String(error));
    }
  }

  async #save(): Promise<void> {
    while (this.#saving) await this.#saving;
    if (this.#editor.graph === this.#saved) {
      // What was changed has been undone.
      if (this.state === "waiting") this.#tell("saved");
      return;
    }
    const graph = this.#editor.graph;
    this.#saving = this.#put(graph, true);
    await this.#saving;
    this.#saving = null;
  }

  /** Send what can be sent in time; ask whoever leaves if that is not all, or does not arrive without the page. */
  readonly #onLeave = (event: BeforeUnloadEvent): void => {
    if (this.state === "waiting" && !this.#saving) void this.#save();
    const lost = this.#editor.graph !== this.#sent || this.#api.endsWithPage;
    if (this.#editor.graph !== this.#saved && lost) event.preventDefault();
  };

  async #put(graph: Graph, draft: boolean): Promise<void> {
    this.#sent = graph;
    this.#tell("saving");
    try {
      const stored = await this.#api.save(documentOf(graph), this.#etag, draft);
      this.version = stored.version;
      this.#etag = stored.etag;
      this.savedAt = stored.updatedAt;
      this.activeVersion = stored.activeVersion;
      this.problems = located(stored.problems, graph);
      this.#saved = graph;
      this.#tell(this.#editor.graph === graph ? "saved" : "waiting");
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const conflict = error instanceof ApiError && error.code === "VERSION_CONFLICT";
      this.#again = error instanceof ApiError && (error.status === 0 || error.status === 503);
      if (this.#again) this.#timer = setTimeout(() => void this.#save(), 3_000);
      this.#tell(conflict ? "conflict" : "failed", message);
    } finally {
      this.#sent = null;
    }
  }

  #tell(state: State, message = ""): void {
    this.state = state;
    this.message = message;
    // Once it is not on the screen any more, nobody can do anything about one that cannot be saved.
    const hopeless = !this.#shown && this.doomed;
    if (state !== "saved" && !hopeless) addEventListener("beforeunload", this.#onLeave);
    else removeEventListener("beforeunload", this.#onLeave);
    this.#revision += 1;
    for (const listener of [...this.#listeners]) listener();
  }
}

export function useDraft(editor: Editor, stored: StoredWorkflow): Draft {
  const { api } = useServices();
  const draft = useMemo(() => new Draft(editor, api, stored), [editor, api, stored]);
  useSyncExternalStore(draft.subscribe, draft.revision);
  useEffect(() => draft.start(), [draft]);
  useBlocker({
    shouldBlockFn: ({ current, next }) =>
      next.pathname !== current.pathname &&
      draft.doomed &&
      !confirm(`What you changed is not saved: ${draft.message}\n\nLeave without it?`),
    enableBeforeUnload: false, // the draft asks itself, and knows when
  });
  return draft;
}

/** Whether what is on the screen is saved, and whether it is what triggers run. */
export function SaveState({ editor, draft }: { editor: Editor; draft: Draft }) {
  const [versions, setVersions] = useState(false);
  useSyncExternalStore(draft.subscribe, draft.revision);
  useKeeping(draft);
  if (draft.state === "conflict") {
    return (
      <span role="alert" className="flex items-center gap-2 text-skipped-ink">
        Somebody else has saved it
        <button type="button" className="rev-button h-6 px-2" onClick={() => draft.giveUp()}>
          Take theirs
        </button>
        <button type="button" className="rev-button h-6 px-2" onClick={() => void draft.overwrite()}>
          Keep mine
        </button>
      </span>
    );
  }
  if (draft.state === "failed") {
    return (
      <span role="alert" className="truncate text-error-ink" title={draft.message}>
        Not saved: {draft.message}
      </span>
    );
  }
  const word = draft.state === "saved" ? `Saved ${instant(draft.savedAt)} · v${draft.version}` : "Saving…";
  return (
    <span
      className="flex items-center gap-2 whitespace-nowrap text-faint max-md:hidden"
      data-save={draft.state}
    >
      <button
        type="button"
        className="rounded px-1 hover:bg-hover hover:text-text"
        title="Versions, and what has changed"
        onClick={() => setVersions(true)}
      >
        {word}
      </button>
      {versions && (
        <Suspense fallback={null}>
          <Versions editor={editor} draft={draft} onClose={() => setVersions(false)} />
        </Suspense>
      )}
      {draft.state === "saved" && draft.activeVersion !== draft.version && draft.problems.length === 0 && (
        <button
          type="button"
          className="rev-button h-6 px-2"
          title={
            draft.activeVersion === null
              ? "Triggers run no version yet: activate this one"
              : `Triggers run version ${draft.activeVersion}: activate this one instead`
          }
          onClick={() => void draft.activate()}
        >
          Activate
        </button>
      )}
    </span>
  );
}

/** By Ctrl S, or the command menu. Otherwise versions are made where they matter: what is run or made active stays as it is. */
function useKeeping(draft: Draft): void {
  useCommands(
    useCallback(
      () => [
        {
          id: "keep",
          title: "Keep this as a version",
          group: "Workflow",
          keys: "Ctrl S",
          run: () => void draft.keep(),
        },
      ],
      [draft],
    ),
  );
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "s" || event.shiftKey) return;
      event.preventDefault();
      void draft.keep();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [draft]);
}
