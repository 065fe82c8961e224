import { useSyncExternalStore } from "react";
import type { Editor } from "../../canvas/editor.ts";

/** The workflow's name, changed where it stands. */
export function WorkflowName({ editor }: { editor: Editor }) {
  const name = useSyncExternalStore(editor.subscribe, () => editor.graph.rest.name ?? "");
  return (
    <>
      <h1 className="rev-visually-hidden">{name || editor.graph.rest.id}</h1>
      <input
        aria-label="Name of the workflow"
        className="field-sizing-content max-w-[40vw] min-w-12 truncate rounded-md border border-transparent bg-transparent px-1.5 py-1 font-semibold hover:border-line focus:border-line-strong"
        value={name}
        placeholder={editor.graph.rest.id}
        onChange={(event) => editor.rename(event.target.value)}
        onKeyDown={(event) => event.key === "Enter" && event.currentTarget.blur()}
      />
    </>
  );
}
