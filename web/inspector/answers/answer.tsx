/** The answer to one question: approve or reject, fill the form, send the signal, say what becomes of a lost attempt. */

import { useQueryClient } from "@tanstack/react-query";
import { Check, ClipboardList, RotateCcw, Send as SendIcon, X } from "lucide-react";
import { type FormEvent, lazy, Suspense, useId, useState } from "react";
import type { Api } from "../../execution/api.ts";
import type { Json } from "../../protocol/document.ts";
import { keepKeys } from "../plain-field.tsx";
import { lateness, type Outcome, type Waiting } from "./waiting.ts";

const FormAnswer = lazy(async () => ({ default: (await import("./form-answer.tsx")).FormAnswer }));

export interface AnswerProps {
  readonly api: Api;
  readonly waiting: Waiting;
  /** Forms show their fields at once. */
  readonly open?: boolean;
  onAnswered(outcome: Outcome): void;
}

export function Answer(props: AnswerProps) {
  const { api, waiting } = props;
  const { busy, error, send } = useSending(props);
  const signal = (payload: Json, said: string) =>
    send(() => api.signal(waiting.executionId, waiting.signal!, payload), said);
  return (
    <>
      {waiting.kind === "approval" && <Decision {...props} busy={busy} send={send} />}
      {waiting.kind === "form" && <Form {...props} />}
      {waiting.kind === "signal" && <SignalAnswer waiting={waiting} busy={busy} signal={signal} />}
      {waiting.kind === "ask" && (
        <div className="flex flex-wrap gap-2">
          <button
            type="button"
            className="rev-button rev-button-primary"
            disabled={busy}
            onClick={() => void signal("rerun", "It runs again")}
          >
            <RotateCcw size={14} aria-hidden /> Run it again
          </button>
          <button
            type="button"
            className="rev-button rev-button-danger"
            disabled={busy}
            onClick={() => void signal("fail", "It is taken as failed")}
          >
            <X size={14} aria-hidden /> Take it as failed
          </button>
        </div>
      )}
      {error && (
        <p role="alert" className="text-xs text-error-ink">
          {error}
        </p>
      )}
    </>
  );
}

type Send = (work: () => Promise<unknown>, said: string) => Promise<void>;

function useSending({ onAnswered }: AnswerProps) {
  const queries = useQueryClient();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  const send: Send = async (work, said) => {
    setBusy(true);
    setError("");
    try {
      await work();
      onAnswered({ late: false, said });
    } catch (failed) {
      const late = lateness(failed);
      if (late) onAnswered(late);
      else setError(failed instanceof Error ? failed.message : String(failed));
    }
    setBusy(false);
    await queries.invalidateQueries({ queryKey: ["waiting"] });
  };
  return { busy, error, send };
}

function Decision({ api, waiting, busy, send }: AnswerProps & { busy: boolean; send: Send }) {
  const [comment, setComment] = useState("");
  const field = useId();
  const decide = (decision: "approved" | "rejected") =>
    send(
      () =>
        api.send(
          "POST",
          `/api/executions/${encodeURIComponent(waiting.executionId)}/approvals/${encodeURIComponent(waiting.approvalId!)}`,
          { decision, ...(comment ? { comment } : {}) },
        ),
      decision === "approved" ? "Approved" : "Rejected",
    );
  return (
    <>
      <div className="space-y-1">
        <label htmlFor={field} className="block text-xs font-medium">
          Comment
        </label>
        <input
          id={field}
          className="rev-input"
          value={comment}
          onKeyDown={keepKeys}
          onChange={(event) => setComment(event.target.value)}
        />
      </div>
      <div className="flex flex-wrap gap-2">
        <button
          type="button"
          className="rev-button rev-button-primary"
          disabled={busy}
          onClick={() => void decide("approved")}
        >
          <Check size={14} aria-hidden /> Approve
        </button>
        <button
          type="button"
          className="rev-button rev-button-danger"
          disabled={busy}
          onClick={() => void decide("rejected")}
        >
          <X size={14} aria-hidden /> Reject
        </button>
      </div>
    </>
  );
}

function Form(props: AnswerProps) {
  const [open, setOpen] = useState(props.open ?? false);
  if (!open)
    return (
      <button type="button" className="rev-button rev-button-primary" onClick={() => setOpen(true)}>
        <ClipboardList size={14} aria-hidden /> Fill it in
      </button>
    );
  return (
    <Suspense fallback={<div className="h-20" aria-busy="true" />}>
      <FormAnswer {...props} />
    </Suspense>
  );
}

interface SignalAnswerProps {
  readonly waiting: Waiting;
  readonly busy: boolean;
  signal(payload: Json, said: string): Promise<void>;
}

function SignalAnswer({ waiting, busy, signal }: SignalAnswerProps) {
  const [text, setText] = useState("");
  const [fault, setFault] = useState("");
  const field = useId();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    let payload: Json;
    try {
      payload = JSON.parse(text.trim() || "{}") as Json;
    } catch {
      setFault('This is no JSON. A text stands in quotes: "yes"');
      return;
    }
    setFault("");
    void signal(payload, `The signal ${waiting.signal} is sent`);
  };
  return (
    <form onSubmit={submit} className="space-y-2">
      <div className="space-y-1">
        <label htmlFor={field} className="block text-xs font-medium">
          What the signal <code className="font-mono">{waiting.signal}</code> brings, as JSON
        </label>
        <textarea
          id={field}
          rows={2}
          className="rev-input h-auto resize-y py-1.5 font-mono text-xs"
          placeholder="{}"
          spellCheck={false}
          value={text}
          aria-invalid={fault !== ""}
          aria-describedby={`${field}-notes`}
          onKeyDown={keepKeys}
          onChange={(event) => setText(event.target.value)}
        />
        <p id={`${field}-notes`} className="text-xs text-error-ink">
          {fault}
        </p>
      </div>
      <button type="submit" className="rev-button rev-button-primary" disabled={busy}>
        <SendIcon size={14} aria-hidden /> Send the signal
      </button>
    </form>
  );
}
