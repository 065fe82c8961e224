/** One question: who asks, where, since when, until when; and its answer. */

import { Link } from "@tanstack/react-router";
import { ClipboardList, HelpCircle, Radio, ThumbsUp, X } from "lucide-react";
import type { ComponentType } from "react";
import { Answer } from "../../inspector/answers/answer.tsx";
import { ASKS, headingOf, type Outcome, type WaitingKind } from "../../inspector/answers/waiting.ts";
import { ago, ahead, moment } from "../../theme/format.ts";
import { useServices } from "../services.tsx";
import type { Shown } from "./waiting-list.ts";

const ICONS: Record<WaitingKind, ComponentType<{ size?: number; "aria-hidden"?: boolean }>> = {
  approval: ThumbsUp,
  form: ClipboardList,
  signal: Radio,
  ask: HelpCircle,
};

interface QuestionProps {
  readonly shown: Shown;
  readonly now: number;
  readonly mayAnswer: boolean;
  /** Somebody has begun to answer. */
  begin(): void;
  end(outcome: Outcome): void;
  putAway(): void;
}

export function Question({ shown, now, mayAnswer, begin, end, putAway }: QuestionProps) {
  const { api } = useServices();
  const { waiting, gone } = shown;
  const outcome =
    shown.outcome ??
    (gone
      ? { late: true, said: "It waits no longer: somebody else has answered, or the run has ended" }
      : null);
  const Icon = ICONS[waiting.kind];
  const heading = headingOf(waiting);
  const id = `question-${shown.key}`;
  return (
    <li>
      <article
        aria-labelledby={id}
        className="rounded-xl border border-line bg-panel"
        onInput={begin}
        onFocus={(event) => event.target.matches("input, textarea, select") && begin()}
      >
        <header className="flex items-start gap-3 px-4 pt-3.5">
          <span
            className={`mt-0.5 grid size-7 flex-none place-items-center rounded-lg ${outcome ? "bg-sunken text-muted" : "bg-(--rev-waiting-soft) text-waiting-ink"}`}
          >
            <Icon size={15} aria-hidden />
          </span>
          <div className="min-w-0 flex-1">
            <h2 id={id} className="font-semibold break-words">
              {heading}
            </h2>
            <p className="text-xs text-muted">{ASKS[waiting.kind]}</p>
          </div>
          {outcome && (
            <button
              type="button"
              className="rev-button rev-button-quiet rev-button-small rev-button-icon"
              aria-label={`Put away: ${heading}`}
              title="Put away"
              onClick={putAway}
            >
              <X size={14} aria-hidden />
            </button>
          )}
        </header>
        <div className="space-y-3 px-4 pt-2 pb-4 sm:pl-14">
          <Facts shown={shown} now={now} />
          {waiting.message && (
            <p className="max-w-prose whitespace-pre-wrap break-words">{waiting.message}</p>
          )}
          {outcome ? (
            <p role="status" className={outcome.late ? "text-skipped-ink" : "text-success-ink"}>
              {outcome.said}.{" "}
              <RunLink shown={shown} className="text-accent underline">
                See the run
              </RunLink>
            </p>
          ) : mayAnswer ? (
            <div className="max-w-md space-y-3">
              <Answer api={api} waiting={waiting} onAnswered={end} />
            </div>
          ) : null}
        </div>
      </article>
    </li>
  );
}

function Facts({ shown: { waiting, ...rest }, now }: { shown: Shown; now: number }) {
  const soon = waiting.until ? new Date(waiting.until).getTime() - now < 3_600_000 : false;
  return (
    <dl className="flex flex-wrap gap-x-6 gap-y-1 text-xs [&_dt]:inline [&_dt]:text-muted [&_dd]:inline">
      <div className="min-w-0">
        <dt>In </dt>
        <dd>
          <RunLink
            shown={{ waiting, ...rest }}
            className="font-medium break-words text-accent hover:underline"
          >
            {waiting.workflowName || waiting.workflowId} › {waiting.nodeName}
          </RunLink>
          {waiting.path && <span className="text-muted"> {waiting.path}</span>}
        </dd>
      </div>
      <div>
        <dt>Asked </dt>
        <dd title={waiting.waitingSince}>{ago(waiting.waitingSince, now)}</dd>
      </div>
      {waiting.until && (
        <div>
          <dt>Until </dt>
          <dd title={waiting.until} className={soon ? "text-skipped-ink" : ""}>
            {moment(waiting.until)}, {ahead(waiting.until, now)}
          </dd>
        </div>
      )}
      {waiting.startedBy && (
        <div>
          <dt>Started by </dt>
          <dd>{waiting.startedBy}</dd>
        </div>
      )}
      {waiting.detail && (waiting.kind === "signal" || waiting.kind === "ask") && (
        <div className="min-w-0">
          <dt className="rev-visually-hidden">Detail </dt>
          <dd className="break-words text-muted">{waiting.detail}</dd>
        </div>
      )}
    </dl>
  );
}

function RunLink({
  shown: { waiting },
  className,
  children,
}: {
  shown: Shown;
  className: string;
  children: React.ReactNode;
}) {
  return (
    <Link
      to="/runs/$executionId"
      params={{ executionId: waiting.executionId }}
      search={{ node: waiting.nodeId }}
      className={className}
    >
      {children}
    </Link>
  );
}
