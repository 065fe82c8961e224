/** One node's time: bars for attempts, thin ones for waits, a heat strip for what ran in iterations, and its slack. */

import type { HeatPage } from "../execution/api.ts";
import type { Attempt, AttemptStatus, Lane, Segment } from "../execution/lane.ts";
import { ERROR, type ShownStatus } from "../execution/status.ts";
import type { TimedNode } from "../execution/timeline.ts";
import { count, duration } from "../theme/format.ts";
import { barOf, heatOf, LEAST_BAR, positionOf, type Window } from "./geometry.ts";

interface LaneBarsProps {
  readonly lane: Lane | undefined;
  /** Of the top level: with how long it was due before it began. */
  readonly timed: TimedNode | undefined;
  readonly window: Window;
  readonly width: number;
  readonly now: number;
  readonly stale: boolean;
  /** The attempt that goes on waits for a place; its end will tell since when it ran. */
  readonly queued: boolean;
  /** Where the lane has no spans: what the server has counted. */
  readonly heat?: HeatPage;
}

const LOOKS: Record<AttemptStatus, ShownStatus> = {
  running: "running",
  success: "success",
  error: "error",
  lost: "error",
  cancelled: "skipped",
};

export function LaneBars({ lane, timed, window, width, now, stale, queued, heat }: LaneBarsProps) {
  const counted = heat?.nodes.find((one) => one.nodeId === lane?.nodeId);
  const attempts = timed?.attempts ?? lane?.attempts ?? [];
  return (
    <span className="rev-lane" role="presentation">
      {attempts.flatMap((attempt) =>
        attempt.segments.map((told) => {
          const segment =
            queued && !told.to && told.kind === "run" ? { ...told, kind: "queue" as const } : told;
          const bar = barOf(segment, window, width, now);
          if (!bar) return null;
          return (
            <i
              key={`${attempt.attempt}/${segment.kind}/${segment.from}`}
              className={`rev-bar rev-bar-${segment.kind === "run" ? `run rev-bar-${LOOKS[attempt.status]}` : segment.kind}`}
              data-open={!segment.to && !stale}
              title={titleOf(attempt, segment, now)}
              style={{ left: bar.x, width: bar.width }}
            />
          );
        }),
      )}
      {lane?.instead && <Instead lane={lane} window={window} width={width} />}
      {lane?.spans && <SpansStrip lane={lane} window={window} width={width} now={now} />}
      {lane && !lane.spans && heat && counted && (
        <HeatStrip
          runs={counted.runs}
          failures={counted.failed}
          heat={{ running: counted.running, failed: counted.failures, most: counted.most }}
          inside={lane.attempts.length > 0}
          left={positionOf(window, width, heat.from)}
          width={positionOf(window, width, heat.to) - positionOf(window, width, heat.from)}
        />
      )}
      {timed && timed.slack >= 1 && <Slack timed={timed} window={window} width={width} />}
      {lane && attempts.length > 0 && (
        <Label lane={lane} tries={attempts} slack={timed?.slack ?? 0} window={window} width={width} />
      )}
    </span>
  );
}

/** It never ran: a point where that was decided. */
function Instead({ lane, window, width }: Pick<LaneBarsProps, "window" | "width"> & { lane: Lane }) {
  const { status, text } = lane.instead!;
  const bar = barOf({ kind: "run", from: lane.ended, to: lane.ended }, window, width, lane.ended);
  if (!bar) return null;
  const kept = status === "kept";
  return (
    <i
      className={`rev-bar rev-bar-${kept ? "success" : "skipped"}`}
      title={kept ? "Kept from the run before" : `Skipped${text && ` · ${text}`}`}
      style={{ left: bar.x, width: bar.width }}
    />
  );
}

/** How much later it could have ended; seen where one looks at the row. */
function Slack({ timed, window, width }: Pick<LaneBarsProps, "window" | "width"> & { timed: TimedNode }) {
  const left = Math.max(0, positionOf(window, width, timed.end));
  const right = Math.min(width, positionOf(window, width, timed.end + timed.slack));
  if (right - left < 2) return null;
  return (
    <i
      className="rev-slack"
      title={`Slack: it could have ended ${duration(timed.slack)} later, and the run no later`}
      style={{ left, width: right - left }}
    />
  );
}

/** Of spans that are here. */
function SpansStrip({
  lane,
  window,
  width,
  now,
}: Pick<LaneBarsProps, "window" | "width" | "now"> & { lane: Lane }) {
  const spans = lane.spans!;
  const bins = Math.max(8, Math.min(160, Math.round(width / 5)));
  return (
    <HeatStrip
      runs={spans.from.length}
      failures={spans.failed}
      heat={heatOf(spans, window, bins, now, ERROR)}
      inside={lane.attempts.length > 0}
      left={0}
      width={width}
    />
  );
}

interface HeatStripProps {
  readonly runs: number;
  readonly failures: number;
  readonly heat: {
    readonly running: ArrayLike<number>;
    readonly failed: ArrayLike<number>;
    readonly most: number;
  };
  /** They are iterations of what has bars of its own. */
  readonly inside: boolean;
  readonly left: number;
  readonly width: number;
}

/** How many ran when, and where they failed: of all iterations at once, however many. */
function HeatStrip({ runs, failures, heat, inside, left, width }: HeatStripProps) {
  const bins = heat.running.length;
  const said = `${count(runs, inside ? "iteration" : "run")}, ${count(failures)} failed, at most ${heat.most} at once`;
  return (
    <svg
      className={inside ? "rev-lane-heat rev-lane-heat-under" : "rev-lane-heat"}
      viewBox={`0 0 ${bins} 4`}
      preserveAspectRatio="none"
      style={{ left, width }}
      aria-hidden="true"
    >
      <title>{said}</title>
      {Array.from(heat.running, (running, bin) =>
        running ? (
          <rect
            key={bin}
            x={bin}
            y={0}
            width={1.05}
            height={4}
            className={heat.failed[bin] ? "rev-lane-heat-failed" : "rev-lane-heat-ran"}
            fillOpacity={0.25 + 0.75 * (running / heat.most)}
          />
        ) : null,
      )}
    </svg>
  );
}

interface LabelProps extends Pick<LaneBarsProps, "window" | "width"> {
  readonly lane: Lane;
  readonly tries: readonly Attempt[];
  readonly slack: number;
}

/** How long it took, where there is room right of the last bar. */
function Label({ lane, tries, slack, window, width }: LabelProps) {
  if (lane.open || !lane.ended || lane.ended === lane.begun) return null;
  const x = positionOf(window, width, lane.ended);
  if (x > width - 60 || x < 0) return null;
  return (
    <span className="rev-bar-label" style={{ left: Math.max(x, 8) + LEAST_BAR + 4 }}>
      {duration(lane.ended - lane.begun)}
      {tries.length > 1 && ` · ${tries.length} tries`}
      {slack >= 1 && <span className="rev-slack-word"> · slack {duration(slack)}</span>}
    </span>
  );
}

const ENDS: Record<AttemptStatus, string> = {
  running: "runs",
  success: "succeeded",
  error: "failed",
  lost: "lost with its process",
  cancelled: "cancelled",
};

function titleOf(attempt: Attempt, segment: Segment, now: number): string {
  const took = segment.from === segment.to ? [] : [duration((segment.to || now) - segment.from)];
  const parts: Record<Segment["kind"], string[]> = {
    queue: ["Queued: due, and not begun", ...took],
    run: [
      `Attempt ${attempt.attempt}`,
      ENDS[attempt.status],
      ...took,
      ...(attempt.text ? [attempt.text] : []),
    ],
    backoff: [`Back-off before attempt ${attempt.attempt}`, ...took],
    wait: [`Waits for ${segment.text}`, ...took],
    down: ["The server had stopped", ...took],
  };
  return parts[segment.kind].join(" · ");
}
