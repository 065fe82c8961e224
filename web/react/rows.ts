/** The nodes that have done something, in the order of their start; as many as are worth a list. */

import { useMemo } from "react";
import { useRunVersion } from "../execution/react/hooks.ts";
import type { NodeRow, RunStore } from "../execution/run-store.ts";
import { IDLE } from "../execution/status.ts";

const SHOWN = 200;

export function useDrawnRows(store: RunStore | null): { rows: NodeRow[]; more: number } {
  const version = useRunVersion(store);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the store changes in place, and its version says so
  return useMemo(() => {
    const numbers: number[] = [];
    store?.codes.forEach((code, n) => {
      if (code !== IDLE) numbers.push(n);
    });
    const at = (n: number) => store!.startTimes[n] || store!.timestamps[n];
    numbers.sort((a, b) => at(a) - at(b) || a - b);
    const rows = numbers.slice(0, SHOWN).flatMap((n) => store!.row(store!.ids[n]) ?? []);
    return { rows, more: numbers.length - rows.length };
  }, [store, version]);
}
