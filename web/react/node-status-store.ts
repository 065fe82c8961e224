/** The statuses of nodes, by id, for a host's own canvas: a store in the manner of zustand. */

import { useSyncExternalStore } from "react";
import type { NodeStatus } from "../protocol/messages.ts";

export interface NodeStatusStore {
  readonly statuses: Readonly<Record<string, NodeStatus>>;
  /** Set one node's status; the visualizer calls it at every change. */
  readonly updateNodeStatus: (nodeId: string, status: NodeStatus) => void;
  /** Forget all of them: before another run. */
  readonly reset: () => void;
}

const listeners = new Set<() => void>();

function set(statuses: NodeStatusStore["statuses"]): void {
  state = { ...state, statuses };
  for (const listener of listeners) listener();
}

let state: NodeStatusStore = {
  statuses: {},
  updateNodeStatus: (nodeId, status) => {
    if (state.statuses[nodeId] !== status) set({ ...state.statuses, [nodeId]: status });
  },
  reset: () => set({}),
};

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function getState(): NodeStatusStore {
  return state;
}

/** `useNodeStatusStore((store) => store.statuses[id])`; outside of React `useNodeStatusStore.getState()` and `.subscribe`. */
export function useNodeStatusStore<Part>(select: (store: NodeStatusStore) => Part): Part {
  return useSyncExternalStore(subscribe, () => select(state));
}

useNodeStatusStore.getState = getState;
useNodeStatusStore.subscribe = subscribe;
