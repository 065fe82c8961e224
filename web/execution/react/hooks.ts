/** The run store and the connection, for React: each component hears of what it shows, and of nothing else. */

import { useCallback, useEffect, useState, useSyncExternalStore } from "react";
import type { Runs } from "../browser.ts";
import type { Light } from "../connection.ts";
import type { LogLine } from "../log-lines.ts";
import type { NodeRow, RunFacts, RunStore } from "../run-store.ts";
import type { Selection } from "../selection.ts";

const NOTHING = () => () => {};

/** The store of a run, live while the component is there; null for no run. */
export function useRun(runs: Runs, executionId: string): RunStore | null {
  const [store, setStore] = useState<RunStore | null>(null);
  useEffect(() => {
    if (!executionId) {
      setStore(null);
      return;
    }
    const held = runs.acquire(executionId);
    setStore(held.store);
    return held.release;
  }, [runs, executionId]);
  return store?.executionId === executionId ? store : null;
}

export function useNodeRow(store: RunStore | null, nodeId: string): NodeRow | null {
  const subscribe = useCallback(
    (listener: () => void) => (store ? store.subscribeNode(nodeId, listener) : () => {}),
    [store, nodeId],
  );
  return useSyncExternalStore(subscribe, () => store?.row(nodeId) ?? null);
}

export function useRunFacts(store: RunStore | null): RunFacts | null {
  const subscribe = useCallback(
    (listener: () => void) => (store ? store.subscribeRun(listener) : () => {}),
    [store],
  );
  return useSyncExternalStore(subscribe, () => store?.run ?? null);
}

/** A number that is new after every frame in which the run or any node changed: for what shows all of it. */
export function useRunVersion(store: RunStore | null): number {
  const subscribe = useCallback(
    (listener: () => void) => {
      if (!store) return () => {};
      const release = [store.subscribeRun(listener), store.subscribeDirty(listener)];
      return () => {
        for (const one of release) one();
      };
    },
    [store],
  );
  return useSyncExternalStore(subscribe, () => store?.version ?? 0);
}

export function useLogLines(store: RunStore | null): readonly LogLine[] {
  const logs = store?.logs;
  useSyncExternalStore(logs?.subscribe ?? NOTHING, () => logs?.version ?? 0);
  return logs?.lines ?? [];
}

/** The light for a run. It is looked at again every second, because silence makes no event. */
export function useLight(runs: Runs, executionId: string): Light | null {
  const connection = runs.connection;
  const [light, setLight] = useState<Light | null>(null);
  useEffect(() => {
    if (!executionId) {
      setLight(null);
      return;
    }
    const look = () => {
      const next = connection.light(executionId);
      setLight((last) => (last && JSON.stringify(last) === JSON.stringify(next) ? last : next));
    };
    look();
    const release = connection.subscribe(look);
    const timer = setInterval(look, 500);
    return () => {
      release();
      clearInterval(timer);
    };
  }, [connection, executionId]);
  return light;
}

/** The time on the server, in epoch milliseconds, every `interval`; it stands still when `running` is false. */
export function useNow(interval: number, running: boolean, skew = 0): number {
  const [now, setNow] = useState(() => Date.now() + skew);
  useEffect(() => {
    if (!running) return;
    setNow(Date.now() + skew);
    const timer = setInterval(() => setNow(Date.now() + skew), interval);
    return () => clearInterval(timer);
  }, [interval, running, skew]);
  return now;
}

export function useSelected(selection: Selection): ReadonlySet<string> {
  return useSyncExternalStore(selection.subscribe, () => selection.ids);
}

export function usePrimary(selection: Selection): string {
  return useSyncExternalStore(selection.subscribe, () => selection.primary);
}

export function useIsSelected(selection: Selection, id: string): boolean {
  return useSyncExternalStore(selection.subscribe, () => selection.ids.has(id));
}
