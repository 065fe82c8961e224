/** The versions of a workflow: what lies between one of them and what is on the screen, and back to it. */

import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { type Change, differences } from "../../canvas/difference.ts";
import type { Editor } from "../../canvas/editor.ts";
import { graphOf } from "../../canvas/graph.ts";
import { ago, count } from "../../theme/format.ts";
import { Dialog } from "../dialog.tsx";
import { useServices } from "../services.tsx";
import type { Draft } from "./draft.tsx";

interface VersionsProps {
  readonly editor: Editor;
  readonly draft: Draft;
  readonly onClose: () => void;
}

export function Versions({ editor, draft, onClose }: VersionsProps) {
  const { api } = useServices();
  const { id } = editor.graph.rest;
  const list = useQuery({ queryKey: ["versions", id, draft.savedAt], queryFn: () => api.versions(id) });
  const [chosen, setChosen] = useState(0);
  const version = chosen || (list.data?.versions[1]?.version ?? 0);
  return (
    <Dialog title="Versions" onClose={onClose}>
      <div className="flex min-h-0 flex-1 max-sm:flex-col">
        <ul className="max-h-[70vh] w-56 shrink-0 overflow-y-auto border-line p-2 max-sm:w-full max-sm:border-b sm:border-r">
          {list.data?.versions.map((row) => (
            <li key={row.version}>
              <button
                type="button"
                aria-pressed={row.version === version}
                onClick={() => setChosen(row.version)}
                className="w-full rounded-lg px-3 py-2 text-left hover:bg-hover aria-pressed:bg-accent-soft"
              >
                <span className="font-medium">Version {row.version}</span>
                {row.version === draft.activeVersion && <span className="ml-2 text-success-ink">active</span>}
                {row.draft && <span className="ml-2 text-muted">draft</span>}
                <span className="block text-muted">
                  {ago(row.savedAt)}
                  {row.savedBy && ` · ${row.savedBy}`} · {count(row.nodes, "node")}
                </span>
              </button>
            </li>
          ))}
        </ul>
        <div className="min-h-0 min-w-0 flex-1 overflow-y-auto p-4">
          {version ? (
            <Comparison editor={editor} draft={draft} version={version} onDone={onClose} />
          ) : (
            <p className="text-muted">There is only one version yet.</p>
          )}
        </div>
      </div>
    </Dialog>
  );
}

interface ComparisonProps {
  readonly editor: Editor;
  readonly draft: Draft;
  readonly version: number;
  readonly onDone: () => void;
}

function Comparison({ editor, draft, version, onDone }: ComparisonProps) {
  const { api } = useServices();
  const { id } = editor.graph.rest;
  const old = useQuery({
    queryKey: ["version", id, version],
    queryFn: () => api.version(id, version),
    staleTime: Number.POSITIVE_INFINITY,
  });
  const changes = useMemo(
    () => (old.data ? differences(graphOf(old.data), editor.graph) : null),
    [old.data, editor],
  );
  if (old.error)
    return (
      <p role="alert" className="text-error-ink">
        {old.error.message}
      </p>
    );
  if (!old.data || !changes) return <p aria-busy="true">…</p>;
  const restore = async () => {
    await draft.keep();
    editor.change(graphOf(old.data), `back to version ${version}`);
    onDone();
  };
  return (
    <>
      <div className="mb-3 flex items-center gap-3">
        <p className="flex-1 text-muted">
          {changes.length
            ? `${count(changes.length, "change")} since version ${version}`
            : `Version ${version} is what is on the screen`}
        </p>
        {changes.length > 0 && (
          <button type="button" className="rev-button" onClick={() => void restore()}>
            Go back to it
          </button>
        )}
      </div>
      <ul className="space-y-1.5">
        {changes.map((change) => (
          <Entry key={`${change.what} ${change.kind} ${change.id}`} change={change} />
        ))}
      </ul>
    </>
  );
}

const SIGNS = { added: "+", removed: "−", changed: "~", moved: "↔" } as const;

function Entry({ change }: { change: Change }) {
  return (
    <li className="rounded-lg border border-line p-2.5">
      <span className="font-mono text-muted" aria-hidden>
        {SIGNS[change.kind]}{" "}
      </span>
      <span className="font-medium">{change.title}</span>
      <span className="text-muted">
        {" "}
        {change.what} {change.kind}
      </span>
      {change.fields.map((field) => (
        <dl key={field.field} className="mt-1.5 grid grid-cols-[9rem_1fr] gap-x-3 font-mono text-xs">
          <dt className="row-span-2 truncate text-muted" title={field.field}>
            {field.field}
          </dt>
          <dd className="break-all text-muted line-through">{told(field.before)}</dd>
          <dd className="break-all">{told(field.after)}</dd>
        </dl>
      ))}
    </li>
  );
}

function told(value: unknown): string {
  const text = value === undefined ? "not set" : JSON.stringify(value);
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}
