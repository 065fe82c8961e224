/** The history of a run, for React: one for each store, read while somebody looks. */

import { useEffect, useMemo, useRef, useSyncExternalStore } from "react";
import type { Api } from "../api.ts";
import { RunHistory } from "../run-history.ts";
import type { RunStore } from "../run-store.ts";

/** Where the data of what is shown is: of a replay, that of its run as it was after event `seq`. */
export interface DataSource {
  readonly executionId: string;
  readonly seq: number;
  /** The instant that is shown; epoch milliseconds. */
  readonly at: number;
  /** When the run ended, or what is known of it does. */
  readonly endTime: number;
}

const histories = new WeakMap<RunStore, RunHistory>();

function historyOf(api: Api, store: RunStore, executionId: string): RunHistory {
  let history = histories.get(store);
  if (!history) {
    history = new RunHistory((after, limit, top) => api.events(executionId, after, limit, top));
    histories.set(store, history);
  }
  return history;
}

/**
 * The history and its version: it is the same object after every change, so the version is what to depend on. That of a long run
 * is `brief` unless somebody looks at `all` of it; a replay does.
 */
export function useHistory(
  api: Api,
  store: RunStore | null,
  source?: DataSource,
  all = false,
): [RunHistory | null, number] {
  const executionId = source?.executionId ?? store?.executionId ?? "";
  const whole = useMemo(() => (store ? historyOf(api, store, executionId) : null), [api, store, executionId]);
  const read = useVersion(whole);
  const cut = useCut(whole, source?.seq ?? 0);
  const taken = useVersion(cut);
  const seq = source?.seq;
  const wholly = all || seq !== undefined;
  useEffect(() => {
    if (!store || !whole) return;
    if (wholly) whole.wantWhole();
    // How things are comes first: how they came to be can be long, and would be in its way.
    const follow = () => (seq !== undefined || store.cursor >= 0) && whole.want(seq ?? store.cursor);
    follow();
    return store.subscribeRun(follow);
  }, [store, whole, seq, wholly]);
  return source ? [cut, taken] : [whole?.best ?? null, read];
}

function useVersion(history: RunHistory | null): number {
  return useSyncExternalStore(history?.subscribe ?? nothing, () => history?.version ?? 0);
}

/** The same history up to an event: folded on while it moves forward, and anew when it goes back. */
function useCut(whole: RunHistory | null, seq: number): RunHistory | null {
  const last = useRef<{ whole: RunHistory; cut: RunHistory } | null>(null);
  if (!whole || seq === 0) return null;
  if (last.current?.whole !== whole || last.current.cut.cursor > seq)
    last.current = { whole, cut: new RunHistory(async () => ({ events: [], lastSeq: 0, more: false })) };
  last.current.cut.take(whole.events.slice(last.current.cut.cursor, seq));
  return last.current.cut;
}

const nothing = () => () => {};
