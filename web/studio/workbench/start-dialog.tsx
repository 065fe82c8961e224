/** A run with an input of one's own, and by the trigger one wants. */

import { useMutation } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import type { Editor } from "../../canvas/editor.ts";
import { titleOf } from "../../canvas/graph.ts";
import type { Json } from "../../protocol/document.ts";
import { Dialog } from "../dialog.tsx";
import { useServices } from "../services.tsx";
import { sampleOf, triggersOf } from "./start.ts";

interface StartDialogProps {
  readonly editor: Editor;
  readonly start: (trigger: string | undefined, input: Json) => Promise<void>;
  readonly onClose: () => void;
}

export default function StartDialog({ editor, start, onClose }: StartDialogProps) {
  const { api, catalogue } = useServices();
  const triggers = useMemo(() => triggersOf(editor.graph, catalogue), [editor, catalogue]);
  const [trigger, setTrigger] = useState(triggers[0]?.id);
  const [text, setText] = useState(() => written(sampleOf(triggers[0])));
  const choose = (id: string) => {
    setTrigger(id);
    setText(written(sampleOf(triggers.find((node) => node.id === id))));
  };
  const last = useMutation({
    mutationFn: async () => {
      const { executions } = await api.executions({ workflowId: editor.graph.rest.id, limit: 1 });
      if (executions.length === 0) throw new Error("It has not run yet");
      return api.runInput(executions[0].executionId);
    },
    onSuccess: (input) => setText(written(input)),
  });
  const begin = useMutation({
    mutationFn: async () => {
      let input: Json;
      try {
        input = JSON.parse(text.trim() || "{}") as Json;
      } catch (error) {
        throw new Error(`The input is not JSON: ${error instanceof Error ? error.message : error}`);
      }
      await start(trigger, input);
    },
    onSuccess: onClose,
  });
  const problem = begin.error ?? last.error;
  return (
    <Dialog title="Run with an input" onClose={onClose}>
      <form
        className="min-h-0 overflow-y-auto p-4"
        onSubmit={(event) => {
          event.preventDefault();
          begin.mutate();
        }}
        onKeyDown={(event) => {
          if ((event.ctrlKey || event.metaKey) && event.key === "Enter") begin.mutate();
        }}
      >
        {triggers.length > 1 && (
          <>
            <label htmlFor="start-trigger" className="mb-1 block font-medium">
              Started by
            </label>
            <select
              id="start-trigger"
              className="rev-input mb-3"
              value={trigger}
              onChange={(event) => choose(event.target.value)}
            >
              {triggers.map((node) => (
                <option key={node.id} value={node.id}>
                  {titleOf(node)}
                </option>
              ))}
            </select>
          </>
        )}
        <div className="mb-1 flex items-end justify-between gap-3">
          <label htmlFor="start-input" className="font-medium">
            Input
          </label>
          <button
            type="button"
            className="rev-button rev-button-quiet"
            disabled={last.isPending}
            onClick={() => last.mutate()}
          >
            Take the last run's
          </button>
        </div>
        <textarea
          id="start-input"
          className="rev-input h-48 resize-y py-2 font-mono text-xs"
          spellCheck={false}
          data-first
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
        {problem && (
          <p role="alert" className="mt-2 whitespace-pre-wrap text-error-ink">
            {problem.message}
          </p>
        )}
        <div className="mt-4 flex justify-end gap-2">
          <button type="button" className="rev-button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className="rev-button rev-button-primary" disabled={begin.isPending}>
            Run
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function written(value: Json): string {
  return JSON.stringify(value, null, 2);
}
