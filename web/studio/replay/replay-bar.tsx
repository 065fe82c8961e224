/** The violet bar of a replay: what is shown is the past, and here it is moved through. */

import { Pause, Play, SkipBack, SkipForward, TriangleAlert, X } from "lucide-react";
import { type PointerEvent, useCallback, useEffect, useMemo } from "react";
import { count, duration } from "../../theme/format.ts";
import { IconButton } from "../../theme/icon-button.tsx";
import { nextError, otherSpeed, type Replay, SPEEDS } from "./replay.ts";

interface ReplayBarProps {
  readonly replay: Replay;
  close(): void;
  /** Something went wrong there. */
  select(nodeId: string): void;
}

export function ReplayBar({ replay, close, select }: ReplayBarProps) {
  const { state, histogram, command } = replay;
  const length = Math.max(1, state.endTime - state.startTime);
  const into = state.at - state.startTime;
  const step = useCallback(
    (by: number) => command({ playing: false, seq: Math.max(1, Math.min(state.lastSeq, state.seq + by)) }),
    [command, state.lastSeq, state.seq],
  );
  const toggle = useCallback(() => {
    const again = !state.playing && state.seq >= state.lastSeq;
    command({ playing: !state.playing, ...(again ? { seq: 1 } : {}) });
  }, [command, state]);
  const toError = useCallback(() => {
    const flaw = histogram ? nextError(histogram, state.seq) : undefined;
    if (!flaw) return;
    command({ playing: false, seq: flaw.seq });
    if (flaw.nodeId) select(flaw.nodeId);
  }, [command, histogram, state.seq, select]);
  useEffect(() => {
    const acts: Record<string, () => void> = {
      " ": toggle,
      ",": () => step(-1),
      ".": () => step(1),
      e: toError,
      E: toError,
      "[": () => command({ speed: otherSpeed(state.speed, -1) }),
      "]": () => command({ speed: otherSpeed(state.speed, 1) }),
    };
    const onKey = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (target.closest("input, textarea, select, dialog, [contenteditable]")) return;
      if (event.key === " " && target.closest("button, a, summary")) return;
      const act = acts[event.key];
      if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      event.stopPropagation();
      act();
    };
    addEventListener("keydown", onKey, true);
    return () => removeEventListener("keydown", onKey, true);
  }, [toggle, step, toError, command, state.speed]);
  return (
    <section
      aria-label="Replay"
      className="z-20 flex flex-none flex-wrap items-center gap-2 border-b border-waiting-ink/40 bg-(--rev-waiting-soft) px-3 py-1.5"
    >
      <strong className="text-waiting-ink">Replay</strong>
      <IconButton label="Event before (,)" act={() => step(-1)} Icon={SkipBack} />
      <IconButton
        label={state.playing ? "Pause (Space)" : "Play (Space)"}
        act={toggle}
        Icon={state.playing ? Pause : Play}
      />
      <IconButton label="Event after (.)" act={() => step(1)} Icon={SkipForward} />
      {histogram && histogram.errors.length > 0 && (
        <IconButton label="Next error (E)" act={toError} Icon={TriangleAlert} />
      )}
      <select
        className="rev-input rev-input-small w-auto"
        aria-label="Speed"
        value={state.speed}
        onChange={(event) => command({ speed: Number(event.target.value) })}
      >
        {SPEEDS.map((speed) => (
          <option key={speed} value={speed}>
            {speed}×
          </option>
        ))}
      </select>
      <Scrubber replay={replay} length={length} into={into} />
      <span className="min-w-44 text-right text-muted" aria-live="off">
        {duration(Math.max(0, into)) || "0 ms"} of {duration(length)} · {count(state.seq)}/
        {count(state.lastSeq)}
      </span>
      <button type="button" className="rev-button rev-button-small" onClick={close}>
        <X size={13} aria-hidden /> Back to now
      </button>
    </section>
  );
}

function Scrubber({ replay, length, into }: { replay: Replay; length: number; into: number }) {
  const { state, histogram, command } = replay;
  const most = Math.max(1, ...(histogram?.buckets.map((bucket) => bucket.events) ?? []));
  const seek = (event: PointerEvent<HTMLDivElement>) => {
    const { left, width } = event.currentTarget.getBoundingClientRect();
    const share = Math.max(0, Math.min(1, (event.clientX - left) / width));
    command({ playing: false, at: state.startTime + share * length });
  };
  const bars = useMemo(
    () =>
      histogram?.buckets.map((bucket, n) =>
        bucket.events ? (
          <rect
            key={bucket.start}
            x={n}
            width={1}
            y={24 - 4 - 20 * (Math.log1p(bucket.events) / Math.log1p(most))}
            height={24}
            fill={bucket.errors ? "var(--rev-error-fill)" : "var(--rev-line-strong)"}
          />
        ) : null,
      ),
    [histogram, most],
  );
  return (
    <div
      role="slider"
      tabIndex={0}
      aria-label="Where in the run"
      aria-valuemin={1}
      aria-valuemax={state.lastSeq}
      aria-valuenow={state.seq}
      aria-valuetext={`${duration(Math.max(0, into))} into the run`}
      className="relative h-6 min-w-40 flex-1 cursor-pointer touch-none overflow-hidden rounded bg-sunken"
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        seek(event);
      }}
      onPointerMove={(event) => event.buttons > 0 && seek(event)}
      onKeyDown={(event) => {
        const by = { ArrowLeft: -1, ArrowRight: 1, PageDown: -20, PageUp: 20, Home: -1e9, End: 1e9 }[
          event.key
        ];
        if (by === undefined) return;
        event.preventDefault();
        command({ playing: false, seq: Math.max(1, Math.min(state.lastSeq, state.seq + by)) });
      }}
    >
      <svg viewBox="0 0 240 24" preserveAspectRatio="none" className="size-full" aria-hidden="true">
        {bars}
      </svg>
      <i
        className="absolute inset-y-0 left-0 border-r-2 border-(--rev-waiting-fill) bg-(--rev-waiting-fill)/20"
        style={{ width: `${Math.max(0, Math.min(1, into / length)) * 100}%` }}
      />
    </div>
  );
}
