import { expect, test } from "vitest";
import {
  barOf,
  heatOf,
  LEAST_BAR,
  positionOf,
  shifted,
  tickLabel,
  ticksOf,
  within,
  zoomed,
} from "./geometry.ts";

const WINDOW = { from: 1_000, to: 2_000 };
const run = (from: number, to: number) => ({ kind: "run" as const, from, to });

test("a bar stands where its time is, and a short one can still be seen", () => {
  expect(barOf(run(1_250, 1_750), WINDOW, 400, 0)).toEqual({ x: 100, width: 200 });
  expect(barOf(run(1_500, 1_500), WINDOW, 400, 0)).toEqual({ x: 200, width: LEAST_BAR });
  // At the right edge it is moved in.
  expect(barOf(run(2_000, 2_000), WINDOW, 400, 0)).toEqual({ x: 394, width: LEAST_BAR });
});

test("what is not over ends now, what is outside is not drawn, what sticks out is cut", () => {
  expect(barOf(run(1_500, 0), WINDOW, 400, 1_900)?.width).toBeCloseTo(160);
  expect(barOf(run(100, 900), WINDOW, 400, 0)).toBeNull();
  expect(barOf(run(2_100, 2_200), WINDOW, 400, 0)).toBeNull();
  expect(barOf(run(0, 9_000), WINDOW, 400, 0)).toEqual({ x: -2, width: 404 });
});

test("zooming keeps what is under the pointer there, and stays inside of the whole", () => {
  const whole = { from: 0, to: 10_000 };
  const near = zoomed(whole, whole, 0.5, 2_000);
  expect(near.to - near.from).toBe(5_000);
  expect(positionOf(near, 100, 2_000)).toBeCloseTo(positionOf(whole, 100, 2_000));
  expect(zoomed(near, whole, 100, 2_000)).toEqual(whole);
  expect(shifted(near, whole, -99_999).from).toBe(0);
  expect(within({ from: 9_000, to: 11_000 }, whole)).toEqual({ from: 8_000, to: 10_000 });
});

test("ticks are round, and have room", () => {
  expect(ticksOf(WINDOW, 400, 1_000, 76)).toEqual([0, 200, 400, 600, 800, 1_000]);
  for (const span of [7, 900, 60_000, 7_200_000, 9 * 86_400_000]) {
    const ticks = ticksOf({ from: 0, to: span }, 800, 0, 76);
    expect(ticks.length).toBeGreaterThan(0);
    expect(ticks.length).toBeLessThanOrEqual(11);
  }
  expect([0, 250, 1_500, 150_000, 3_750_000].map(tickLabel)).toEqual([
    "0",
    "250 ms",
    "1.5 s",
    "2:30",
    "1:02:30",
  ]);
});

test("a heat strip counts what ran at once, and marks where it failed", () => {
  const spans = { from: [0, 0, 50], to: [40, 100, 0], codes: [3, 4, 2] };
  const heat = heatOf(spans, { from: 0, to: 100 }, 10, 100, 4);
  expect([...heat.running]).toEqual([2, 2, 2, 2, 2, 2, 2, 2, 2, 2]);
  expect([...heat.failed]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
  expect(heat.most).toBe(2);
});
