/** Why the run that is shown has failed, and the way there: E, wherever the focus is. */

import { CircleX } from "lucide-react";
import { useEffect } from "react";
import type { CanvasHandle } from "../../canvas/surface.ts";
import { useRunFacts } from "../../execution/react/hooks.ts";
import type { RunStore } from "../../execution/run-store.ts";

export function Failure({ store, canvas }: { store: RunStore; canvas: CanvasHandle | null }) {
  const run = useRunFacts(store);
  useEffect(() => {
    if (!canvas) return;
    const onKey = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() !== "e" || event.ctrlKey || event.metaKey || event.altKey) return;
      const target = event.target as HTMLElement;
      if (event.defaultPrevented || target.closest("input, textarea, select, dialog, [contenteditable]"))
        return;
      event.preventDefault();
      canvas.nextError();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [canvas]);
  if (run?.status !== "failed" || !run.error) return null;
  return (
    <div
      role="status"
      className="flex flex-none items-center gap-2 border-b border-error-ink/30 bg-(--rev-error-soft) px-4 py-1.5"
    >
      <CircleX size={15} className="flex-none text-error-ink" aria-hidden />
      <p className="min-w-0 flex-1 truncate text-error-ink" title={run.error}>
        {run.error}
      </p>
      <button type="button" className="rev-button rev-button-quiet" onClick={() => canvas?.nextError()}>
        Show it <kbd className="rev-key max-sm:hidden">E</kbd>
      </button>
    </div>
  );
}
