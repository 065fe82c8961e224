/** The history of a run, for React: one for each store, read while somebody looks. */

import { useEffect, useMemo, useSyncExternalStore } from "react";
import type { Api } from "../api.ts";
import { RunHistory } from "../history.ts";
import type { RunStore } from "../run-store.ts";

const histories = new WeakMap<RunStore, RunHistory>();

function historyOf(api: Api, store: RunStore): RunHistory {
  let history = histories.get(store);
  if (!history) {
    history = new RunHistory((after, limit) => api.events(store.executionId, after, limit));
    histories.set(store, history);
  }
  return history;
}

/** The history and its version: it is the same object after every change, so the version is what to depend on. */
export function useHistory(api: Api, store: RunStore | null): [RunHistory | null, number] {
  const history = useMemo(() => (store ? historyOf(api, store) : null), [api, store]);
  const version = useSyncExternalStore(history?.subscribe ?? nothing, () => history?.version ?? 0);
  useEffect(() => {
    if (!store || !history) return;
    const follow = () => history.want(store.cursor);
    follow();
    return store.subscribeRun(follow);
  }, [store, history]);
  return [history, version];
}

const nothing = () => () => {};
