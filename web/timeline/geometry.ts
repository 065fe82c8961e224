/** Where things stand on the time axis, in pixels. */

import type { Segment } from "../execution/lane.ts";

/** What is seen: from one instant to another, in epoch milliseconds. */
export interface Window {
  readonly from: number;
  readonly to: number;
}

export interface Bar {
  readonly x: number;
  readonly width: number;
}

/** Bars that are shorter are drawn this wide, so that they can be seen and hit. */
export const LEAST_BAR = 6;
const LEAST_THIN = 2;
/** The narrowest window: 5 ms. */
export const LEAST_SPAN = 5;

export function positionOf(window: Window, width: number, at: number): number {
  return ((at - window.from) / (window.to - window.from)) * width;
}

export function instantAt(window: Window, width: number, x: number): number {
  return window.from + (x / width) * (window.to - window.from);
}

/** Where a stretch is seen, cut at the edges; null outside of the window. One that is not over ends `now`. */
export function barOf(
  segment: Pick<Segment, "from" | "to" | "kind">,
  window: Window,
  width: number,
  now: number,
): Bar | null {
  const end = segment.to || Math.max(now, segment.from);
  const left = positionOf(window, width, segment.from);
  const right = positionOf(window, width, end);
  const least = segment.kind === "run" ? LEAST_BAR : LEAST_THIN;
  if (right < 0 || left > width) return null;
  const x = Math.max(left, -2);
  const wide = Math.max(Math.min(right, width + 2) - x, least);
  // A short bar at the right edge is moved in, so that all of it is seen.
  return { x: Math.min(x, Math.max(0, width - least)), width: wide };
}

/** Larger or smaller around an instant, within the whole. */
export function zoomed(window: Window, whole: Window, by: number, around: number): Window {
  const span = Math.max(LEAST_SPAN, Math.min((window.to - window.from) * by, whole.to - whole.from));
  const share = (around - window.from) / (window.to - window.from);
  return within({ from: around - share * span, to: around + (1 - share) * span }, whole);
}

export function shifted(window: Window, whole: Window, by: number): Window {
  return within({ from: window.from + by, to: window.to + by }, whole);
}

/** Moved, not shrunk, until it is inside. */
export function within(window: Window, whole: Window): Window {
  const span = Math.min(window.to - window.from, whole.to - whole.from);
  const from = Math.max(whole.from, Math.min(window.from, whole.to - span));
  return { from, to: from + span };
}

const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000];
const LONG_STEPS = [2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1_440].map((minutes) => minutes * 60_000);

/** Milliseconds since `origin` for the ticks, at least `room` pixels apart. */
export function ticksOf(window: Window, width: number, origin: number, room = 76): number[] {
  const least = ((window.to - window.from) / Math.max(width, 1)) * room;
  const steps = [...STEPS, ...LONG_STEPS];
  const step = steps.find((one) => one >= least) ?? Math.ceil(least / 86_400_000) * 86_400_000;
  const ticks: number[] = [];
  for (let at = Math.ceil((window.from - origin) / step) * step; at <= window.to - origin; at += step)
    ticks.push(at);
  return ticks;
}

/** `0`, `250 ms`, `1.5 s`, `2:30`, `1:02:30`. */
export function tickLabel(since: number): string {
  if (since === 0) return "0";
  if (Math.abs(since) < 1_000) return `${since} ms`;
  if (Math.abs(since) < 60_000) return `${Number((since / 1_000).toFixed(3))} s`;
  const seconds = Math.floor(since / 1_000);
  const clock = [Math.floor(seconds / 60) % 60, seconds % 60].map((part) => String(part).padStart(2, "0"));
  return seconds < 3_600
    ? `${Math.floor(seconds / 60)}:${clock[1]}`
    : `${Math.floor(seconds / 3_600)}:${clock.join(":")}`;
}

/** How much of `bins` equal parts of the window is covered, by what: for heat strips and the overview. */
export interface Heat {
  readonly running: Uint32Array;
  readonly failed: Uint32Array;
  readonly most: number;
}

export function heatOf(
  spans: {
    readonly from: readonly number[];
    readonly to: readonly number[];
    readonly codes: readonly number[];
  },
  window: Window,
  bins: number,
  now: number,
  failing: number,
): Heat {
  // Differences first, then one sum: a span costs two writes, however long it is.
  const steps = new Int32Array(bins + 1);
  const failed = new Uint32Array(bins);
  const scale = bins / (window.to - window.from);
  for (let n = 0; n < spans.from.length; n += 1) {
    const end = spans.to[n] || now;
    if (end < window.from || spans.from[n] > window.to) continue;
    const first = Math.max(0, Math.min(bins - 1, Math.floor((spans.from[n] - window.from) * scale)));
    const last = Math.max(first, Math.min(bins - 1, Math.floor((end - window.from) * scale)));
    steps[first] += 1;
    steps[last + 1] -= 1;
    if (spans.codes[n] === failing) failed[last] += 1;
  }
  const running = new Uint32Array(bins);
  let sum = 0;
  let most = 0;
  for (let bin = 0; bin < bins; bin += 1) {
    sum += steps[bin];
    running[bin] = sum;
    most = Math.max(most, sum);
  }
  return { running, failed, most };
}
