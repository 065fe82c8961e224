/** Watches an execution for everything below it. */

import { type ReactNode, useEffect, useMemo, useRef } from "react";
import { useRun } from "../execution/react/hooks.ts";
import { statusOf } from "../execution/status.ts";
import type { NodeStatus } from "../protocol/messages.ts";
import { WatchedContext } from "./context.ts";
import { useNodeStatusStore } from "./node-status-store.ts";
import { type GetTicket, serverAt } from "./server.ts";

export interface ExecutionProviderProps {
  readonly executionId: string;
  /** Where flowscope is, such as `https://flows.example`; by default the page's own origin. */
  readonly backendUrl?: string;
  /** For a server with keys: asks your backend for a ticket (`POST /api/tickets`), which is good once. */
  readonly getTicket?: GetTicket;
  /** Called when a node's status has changed, at most once a frame for each node. */
  readonly onNodeUpdate?: (nodeId: string, status: NodeStatus) => void;
  readonly children?: ReactNode;
}

export function ExecutionProvider(props: ExecutionProviderProps) {
  const { executionId, backendUrl, getTicket, onNodeUpdate, children } = props;
  const server = serverAt(backendUrl, getTicket);
  const store = useRun(server.runs, executionId);
  const told = useRef(onNodeUpdate);
  useEffect(() => {
    told.current = onNodeUpdate;
  }, [onNodeUpdate]);
  useEffect(() => {
    if (!store) return;
    const known = new Map<string, NodeStatus>();
    const look = (dirty: Iterable<number>) => {
      for (const n of dirty) {
        const nodeId = store.ids[n];
        const status = statusOf(store.codes[n]);
        const before = known.get(nodeId) ?? "idle";
        known.set(nodeId, status);
        if (status === before) continue;
        useNodeStatusStore.getState().updateNodeStatus(nodeId, status);
        told.current?.(nodeId, status);
      }
    };
    look(store.ids.keys());
    return store.subscribeDirty(look);
  }, [store]);
  const watched = useMemo(() => ({ executionId, server, store }), [executionId, server, store]);
  return <WatchedContext.Provider value={watched}>{children}</WatchedContext.Provider>;
}
