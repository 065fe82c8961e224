/** What waits, asked for again and again while somebody looks. */

import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { keyOf, type Outcome, type Waiting, waitingOf } from "../../inspector/answers/waiting.ts";
import { useServices } from "../services.tsx";

export const STEP = 50;
export const MOST = 500;

/** Milliseconds between two looks. */
export function usePace(): number {
  return Math.max(1_000, useServices().config.ui.refreshInterval);
}

/** How many questions there are; null while that is not known. */
export function useWaitingCount(): number | null {
  const { api } = useServices();
  const { data } = useQuery({
    queryKey: ["waiting", "count"],
    queryFn: async () => (await waitingOf(api, { limit: 1 })).total,
    refetchInterval: usePace() * 2,
  });
  return data ?? null;
}

/** A question on the page. `gone`: it waits no longer, and somebody was about to answer it. */
export interface Shown {
  readonly key: string;
  readonly waiting: Waiting;
  readonly outcome: Outcome | null;
  readonly gone: boolean;
}

export function useWaitingList(kind: string) {
  const { api } = useServices();
  const [limit, setLimit] = useState(STEP);
  const pace = usePace();
  const list = useQuery({
    queryKey: ["waiting", "list", kind, limit],
    queryFn: () => waitingOf(api, { kind, limit }),
    refetchInterval: pace,
    placeholderData: (last) => last,
  });
  /** What somebody has begun to answer, or has answered: it stays until it is put away. */
  const [held, setHeld] = useState<ReadonlyMap<string, { waiting: Waiting; outcome: Outcome | null }>>(
    new Map(),
  );
  const hold = (waiting: Waiting, outcome: Outcome | null) =>
    setHeld((last) => {
      const key = keyOf(waiting);
      if (last.has(key) && !outcome) return last;
      return new Map(last).set(key, { waiting, outcome });
    });
  const putAway = (key: string) => setHeld((last) => new Map([...last].filter(([one]) => one !== key)));
  return { list, limit, more: () => setLimit((last) => Math.min(MOST, last + STEP)), held, hold, putAway };
}

/** What waits and what is held, the longest first. */
export function shownOf(
  waiting: readonly Waiting[],
  held: ReadonlyMap<string, { waiting: Waiting; outcome: Outcome | null }>,
): Shown[] {
  const there = new Map(waiting.map((one) => [keyOf(one), one]));
  const shown: Shown[] = [...there].map(([key, one]) => ({
    key,
    waiting: one,
    outcome: held.get(key)?.outcome ?? null,
    gone: false,
  }));
  for (const [key, { waiting: one, outcome }] of held)
    if (!there.has(key)) shown.push({ key, waiting: one, outcome, gone: true });
  return shown.sort(
    (a, b) =>
      a.waiting.waitingSince.localeCompare(b.waiting.waitingSince) ||
      (a.key < b.key ? -1 : a.key > b.key ? 1 : 0),
  );
}
