/** Ctrl K: every page, workflow, node and command, by its name. What draws it is loaded when it is first opened. */

import { lazy, Suspense, useEffect, useRef, useState } from "react";

const CommandList = lazy(async () => ({ default: (await import("./command-list.tsx")).CommandList }));

let show: (() => void) | null = null;

export function openCommandMenu(): void {
  show?.();
}

export function CommandMenu() {
  const dialog = useRef<HTMLDialogElement>(null);
  const [open, setOpen] = useState(false);
  useEffect(() => {
    show = () => {
      setOpen(true);
      if (!dialog.current?.open) dialog.current?.showModal();
    };
    const onKey = (event: KeyboardEvent) => {
      if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "k") return;
      event.preventDefault();
      if (dialog.current?.open) dialog.current.close();
      else show?.();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
  return (
    <dialog
      ref={dialog}
      aria-label="Commands"
      className="rev-dialog mt-[12vh] w-[min(620px,92vw)] overflow-hidden p-0"
      onClose={() => setOpen(false)}
      onClick={(event) => event.target === event.currentTarget && dialog.current?.close()}
      onKeyDown={(event) => !(event.ctrlKey || event.metaKey) && event.stopPropagation()}
    >
      {open && (
        <Suspense fallback={<div className="h-12" aria-busy="true" />}>
          <CommandList close={() => dialog.current?.close()} />
        </Suspense>
      )}
    </dialog>
  );
}
