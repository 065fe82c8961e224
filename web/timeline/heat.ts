/** The heat strips of a long run, which the server counts: what is inside of containers is not read for them. */

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import type { Api, HeatPage } from "../execution/api.ts";
import type { RunHistory } from "../execution/run-history.ts";
import type { Window } from "./geometry.ts";

const BINS = 160;
/** Milliseconds between two windows that are asked for, while one is moved. */
const PAUSE = 300;

/** Of the window, or of one a moment ago; nothing for a history that has all of it. */
export function useHeat(
  api: Api,
  executionId: string,
  history: RunHistory,
  window: Window,
): HeatPage | undefined {
  const wanted = history.brief && history.startedAt > 0;
  const key = useSlowly(wanted ? `${window.from}/${window.to}` : "", PAUSE);
  const { data } = useQuery({
    queryKey: ["heat", executionId, key],
    queryFn: () => {
      const [from, to] = key.split("/").map(Number);
      return api.heat(executionId, from, to, BINS);
    },
    enabled: key !== "",
    placeholderData: keepPreviousData,
    gcTime: 10_000,
    staleTime: Number.POSITIVE_INFINITY,
  });
  return wanted ? data : undefined;
}

/** The value, at most one in so many milliseconds; the first one and an empty one at once. */
function useSlowly(value: string, pause: number): string {
  const [shown, show] = useState(value);
  const latest = useRef(value);
  latest.current = value;
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const now = shown === "" || value === "" ? value : shown;
  useEffect(() => {
    if (now !== shown) show(now);
    else if (value !== shown)
      timer.current ??= setTimeout(() => {
        timer.current = undefined;
        show(latest.current);
      }, pause);
  });
  useEffect(() => () => clearTimeout(timer.current), []);
  return now;
}
