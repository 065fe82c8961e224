/** The whole run in one strip: how much ran when, and a brush over it for what the rows show. */

import { type PointerEvent, useMemo, useRef } from "react";
import type { Lane } from "../execution/lane.ts";
import { ERROR, RUNNING } from "../execution/status.ts";
import { heatOf, type Window, within } from "./geometry.ts";

interface OverviewProps {
  readonly lanes: readonly Lane[];
  readonly whole: Window;
  readonly window: Window;
  readonly now: number;
  choose(window: Window | null): void;
}

const BINS = 160;
const HANDLE = 6;

export function Overview({ lanes, whole, window, now, choose }: OverviewProps) {
  const box = useRef<HTMLDivElement>(null);
  const grip = useRef<{ kind: "new" | "move" | "left" | "right"; from: number; window: Window } | null>(null);
  const heat = useMemo(() => heatOf(spansOf(lanes), whole, BINS, now, ERROR), [lanes, whole, now]);
  const share = (at: number) => (at - whole.from) / (whole.to - whole.from);
  const all = window.from === whole.from && window.to === whole.to;
  const instant = (event: PointerEvent) => {
    const { left, width } = box.current!.getBoundingClientRect();
    return (
      whole.from + (Math.max(0, Math.min(width, event.clientX - left)) / width) * (whole.to - whole.from)
    );
  };
  const down = (event: PointerEvent<HTMLDivElement>) => {
    const at = instant(event);
    const near = (HANDLE / box.current!.clientWidth) * (whole.to - whole.from);
    event.currentTarget.setPointerCapture(event.pointerId);
    const kind = all
      ? "new"
      : Math.abs(at - window.from) < near
        ? "left"
        : Math.abs(at - window.to) < near
          ? "right"
          : at > window.from && at < window.to
            ? "move"
            : "new";
    grip.current = { kind, from: at, window };
  };
  const move = (event: PointerEvent) => {
    const held = grip.current;
    if (!held) return;
    const at = instant(event);
    const by = at - held.from;
    const { from, to } = held.window;
    const least = (whole.to - whole.from) / 2_000;
    if (held.kind === "move") choose(within({ from: from + by, to: to + by }, whole));
    else if (held.kind === "left") choose({ from: Math.min(from + by, to - least), to });
    else if (held.kind === "right") choose({ from, to: Math.max(to + by, from + least) });
    else if (Math.abs(by) > least * 8) choose({ from: Math.min(held.from, at), to: Math.max(held.from, at) });
  };
  const up = () => {
    grip.current = null;
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: by keyboard the list zooms and moves (+ - 0 ← →)
    <div
      ref={box}
      className="rev-overview"
      title="Drag to look at a part; double-click for all of it"
      onPointerDown={down}
      onPointerMove={move}
      onPointerUp={up}
      onPointerCancel={up}
      onDoubleClick={() => choose(null)}
    >
      <svg viewBox={`0 0 ${BINS} 20`} preserveAspectRatio="none" aria-hidden="true">
        {Array.from(heat.running, (running, bin) => {
          if (!running) return null;
          const height = 3 + 17 * (running / heat.most);
          return (
            <g key={bin}>
              <rect x={bin} y={20 - height} width={1} height={height} className="rev-overview-ran" />
              {heat.failed[bin] > 0 && (
                <rect x={bin} y={14} width={1} height={6} className="rev-overview-failed" />
              )}
            </g>
          );
        })}
      </svg>
      {!all && (
        <span
          className="rev-brush"
          style={{
            left: `${share(window.from) * 100}%`,
            width: `${(share(window.to) - share(window.from)) * 100}%`,
          }}
        />
      )}
    </div>
  );
}

function spansOf(lanes: readonly Lane[]) {
  const from: number[] = [];
  const to: number[] = [];
  const codes: number[] = [];
  for (const lane of lanes) {
    for (const { status, segments } of lane.attempts)
      for (const segment of segments) {
        if (segment.kind !== "run") continue;
        from.push(segment.from);
        to.push(segment.to);
        codes.push(status === "error" || status === "lost" ? ERROR : RUNNING);
      }
  }
  return { from, to, codes };
}
