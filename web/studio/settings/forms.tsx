/** Dialogs of the settings: one that keeps something, one that asks before something is deleted. */

import { type UseMutationResult, useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useEffect, useRef } from "react";
import { Dialog } from "../dialog.tsx";

/** Do it, and ask again for what it changes. */
export function useChange<Input>(
  change: (input: Input) => Promise<unknown>,
  key: string,
  done: () => void,
): UseMutationResult<unknown, Error, Input> {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: change,
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: [key] });
      done();
    },
  });
}

interface FormDialogProps {
  readonly title: string;
  readonly button: string;
  readonly busy: boolean;
  readonly error: string;
  readonly children: ReactNode;
  submit(): void;
  close(): void;
}

export function FormDialog({ title, button, busy, error, children, submit, close }: FormDialogProps) {
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => form.current?.querySelector<HTMLElement>("input, select, textarea")?.focus(), []);
  const onSubmit = (event: FormEvent) => {
    event.preventDefault();
    submit();
    // What is wrong is known when this is drawn: the first such field is where one goes on.
    requestAnimationFrame(() => form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus());
  };
  return (
    <Dialog title={title} onClose={close}>
      <form ref={form} noValidate onSubmit={onSubmit} className="min-h-0 space-y-4 overflow-auto p-4">
        {children}
        {error && (
          <p role="alert" className="text-error-ink">
            {error}
          </p>
        )}
        <div className="flex justify-end gap-2">
          <button type="button" className="rev-button" onClick={close}>
            Cancel
          </button>
          <button type="submit" className="rev-button rev-button-primary" disabled={busy}>
            {button}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

interface DeleteDialogProps {
  readonly title: string;
  readonly button?: string;
  readonly children: ReactNode;
  readonly change: UseMutationResult<unknown, Error, void>;
  close(): void;
}

export function DeleteDialog({ title, button = "Delete", children, change, close }: DeleteDialogProps) {
  return (
    <Dialog title={title} onClose={close}>
      <div className="space-y-4 p-4">
        <p className="max-w-prose">{children}</p>
        {change.error && (
          <p role="alert" className="text-error-ink">
            {change.error.message}
          </p>
        )}
        <div className="flex justify-end gap-2">
          <button type="button" className="rev-button" onClick={close}>
            Keep it
          </button>
          <button
            type="button"
            className="rev-button border-error-ink text-error-ink"
            disabled={change.isPending}
            onClick={() => change.mutate()}
          >
            {button}
          </button>
        </div>
      </div>
    </Dialog>
  );
}
