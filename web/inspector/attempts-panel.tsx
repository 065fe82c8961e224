import type { RunHistory } from "../execution/run-history.ts";
import { clock, duration } from "../theme/format.ts";
import { StatusIcon } from "../theme/status.tsx";
import { attemptsOf } from "./attempts.ts";

interface AttemptsPanelProps {
  readonly history: RunHistory;
  readonly version: number;
  readonly nodeId: string;
  readonly path: string;
  readonly now: number;
}

/** Every attempt, its time and what came of it. */
export function AttemptsPanel({ history, nodeId, path, now }: AttemptsPanelProps) {
  const attempts = attemptsOf(history, nodeId, path);
  if (!attempts.length) return <p className="text-muted">It has not been tried.</p>;
  return (
    <ol className="space-y-2">
      {attempts.map((one, n) => (
        <li key={one.seq} className="rounded-lg border border-line p-2.5">
          <div className="flex items-center gap-2">
            <span className={`rev-badge rev-ink-${one.status}`}>
              <StatusIcon status={one.status} /> {one.word}
            </span>
            <span className="flex-1 text-right text-muted">
              {duration(Math.max(0, (one.to || now) - one.from))}
            </span>
          </div>
          <p className="mt-0.5 text-xs text-muted">
            Attempt {one.attempt} · {clock(one.from)} · event {one.seq}
          </p>
          {one.parts && <p className="mt-0.5 text-xs text-muted">{one.parts}</p>}
          {one.message && <p className="mt-1 text-xs break-words whitespace-pre-wrap">{one.message}</p>}
          {one.retryAt > 0 && (
            <p className="mt-1 text-xs text-muted">
              {attempts[n + 1]
                ? `Tried again after ${duration(attempts[n + 1].from - one.to)}`
                : `Tried again at ${clock(one.retryAt)}`}
            </p>
          )}
        </li>
      ))}
    </ol>
  );
}
