/** One node's time: bars for attempts, thin ones for waits, a heat strip for what ran in iterations. */

import type { Graph } from "../canvas/graph.ts";
import type { Lane, Segment } from "../execution/history.ts";
import { ERROR } from "../execution/status.ts";
import { count, duration } from "../theme/format.ts";
import { readyAt } from "./critical-path.ts";
import { barOf, heatOf, positionOf, type Window } from "./geometry.ts";

interface LaneBarsProps {
  readonly lane: Lane;
  readonly lanes: ReadonlyMap<string, Lane>;
  readonly graph: Graph;
  readonly window: Window;
  readonly width: number;
  readonly now: number;
  readonly stale: boolean;
}

export function LaneBars({ lane, lanes, graph, window, width, now, stale }: LaneBarsProps) {
  const first = lane.segments[0];
  const ready = first && first.from !== first.to ? readyAt(graph, lanes, lane.nodeId) : 0;
  const queue =
    ready && first.from - ready > 1
      ? barOf({ kind: "backoff", from: ready, to: first.from }, window, width, now)
      : null;
  return (
    <span className="rev-lane" role="presentation">
      {queue && queue.width > 2 && (
        <i
          className="rev-bar rev-bar-queue"
          title={`Queued for ${duration(first.from - ready)}`}
          style={{ left: queue.x, width: queue.width }}
        />
      )}
      {lane.segments.map((segment, n) => {
        const bar = barOf(segment, window, width, now);
        if (!bar) return null;
        return (
          <i
            key={n}
            className={`rev-bar rev-bar-${segment.kind} rev-bar-${segment.status}`}
            data-open={!segment.to && !stale}
            title={titleOf(segment, now)}
            style={{ left: bar.x, width: bar.width }}
          />
        );
      })}
      {lane.spans && <HeatStrip lane={lane} window={window} width={width} now={now} />}
      <Label lane={lane} window={window} width={width} now={now} />
    </span>
  );
}

/** How many ran when, and where they failed: of all iterations at once, however many. */
function HeatStrip({ lane, window, width, now }: { lane: Lane; window: Window; width: number; now: number }) {
  const spans = lane.spans!;
  const bins = Math.max(8, Math.min(160, Math.round(width / 5)));
  const heat = heatOf(spans, window, bins, now, ERROR);
  const inside = lane.segments.length > 0;
  const said = `${count(spans.from.length, inside ? "iteration" : "run")}, ${count(spans.failed)} failed, at most ${heat.most} at once`;
  return (
    <svg
      className={inside ? "rev-lane-heat rev-lane-heat-under" : "rev-lane-heat"}
      viewBox={`0 0 ${bins} 4`}
      preserveAspectRatio="none"
      style={{ width }}
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

/** How long it took, where there is room right of the last bar. */
function Label({ lane, window, width, now }: { lane: Lane; window: Window; width: number; now: number }) {
  const last = lane.segments.at(-1);
  if (!last || last.from === last.to || !last.to) return null;
  const x = positionOf(window, width, last.to);
  if (x > width - 60 || x < 0) return null;
  const attempts = lane.segments.filter((segment) => segment.kind === "run").length;
  return (
    <span className="rev-bar-label" style={{ left: Math.max(x, 8) + 6 }}>
      {duration((last.to || now) - lane.begun)}
      {attempts > 1 && ` · ${attempts} tries`}
    </span>
  );
}

const WORDS: Record<Segment["kind"], string> = {
  run: "Attempt",
  backoff: "Back-off before attempt",
  wait: "Waits",
};

function titleOf(segment: Segment, now: number): string {
  const took = segment.from === segment.to ? "" : ` · ${duration((segment.to || now) - segment.from)}`;
  const head =
    segment.kind === "wait" ? `Waits for ${segment.text}` : `${WORDS[segment.kind]} ${segment.attempt}`;
  const why = segment.kind === "run" && segment.text ? ` · ${segment.text}` : "";
  if (segment.status === "skipped" && segment.attempt === 0) return `Skipped${why}`;
  return `${head} · ${segment.status}${took}${why}`;
}
