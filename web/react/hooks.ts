/** What is known of the execution, for components of the host's own. Each is drawn again only when its part changes. */

import { useLight, useNodeRow, useRunFacts } from "../execution/react/hooks.ts";
import type { RunFacts } from "../execution/run-store.ts";
import { statusOf } from "../execution/status.ts";
import type { NodeStatus } from "../protocol/messages.ts";
import { useWatched } from "./context.ts";

export interface VisualizedNode {
  readonly nodeId: string;
  readonly nodeName: string;
  readonly status: NodeStatus;
  /** What the six statuses do not say: `retrying`, `waiting`, `timed out` … */
  readonly detail: string;
  readonly attempt: number;
  /** In percent; 0 where the node says nothing. */
  readonly progress: number;
  /** In milliseconds; 0 until it has ended. */
  readonly duration: number;
  readonly error: string;
}

export interface ConnectionState {
  readonly state: "live" | "catching-up" | "stale" | "connecting" | "offline" | "refused";
  /** For people. */
  readonly text: string;
  /** Whether what is shown is what the server knows. */
  readonly isLive: boolean;
}

/** Status, progress and counts of the execution; null until the server has been heard. */
export function useExecution(): RunFacts | null {
  const { store } = useWatched();
  const facts = useRunFacts(store);
  return store && store.cursor >= 0 ? facts : null;
}

/** One node; null while nothing is known of it. */
export function useNode(nodeId: string): VisualizedNode | null {
  const row = useNodeRow(useWatched().store, nodeId);
  return (
    row && {
      nodeId,
      nodeName: row.name || nodeId,
      status: statusOf(row.code),
      detail: row.detail,
      attempt: row.attempt,
      progress: row.progress,
      duration: row.duration,
      error: row.error,
    }
  );
}

/** How things stand with the server. It does not say `live` while nothing is heard. */
export function useConnection(): ConnectionState {
  const { server, executionId } = useWatched();
  const light = useLight(server.runs, executionId);
  switch (light?.state) {
    case undefined:
    case "connecting":
      return { state: "connecting", text: "Connecting…", isLive: false };
    case "live":
      return { state: "live", text: "Real-time updates active", isLive: true };
    case "catching-up":
      return { state: "catching-up", text: "Catching up…", isLive: false };
    case "stale": {
      const seconds = Math.floor(light.silence / 1_000);
      return { state: "stale", text: `No word from the server for ${seconds} s`, isLive: false };
    }
    case "offline":
      return { state: "offline", text: "Connection lost; trying again…", isLive: false };
    case "refused":
      return { state: "refused", text: light.reason, isLive: false };
  }
}
