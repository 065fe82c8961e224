/** The execution that the hooks below a provider speak of. */

import { createContext, useContext } from "react";
import type { RunStore } from "../execution/run-store.ts";
import type { Server } from "./server.ts";

export interface Watched {
  readonly executionId: string;
  readonly server: Server;
  /** Null until the provider is mounted. */
  readonly store: RunStore | null;
}

export const WatchedContext = createContext<Watched | null>(null);

export function useWatched(): Watched {
  const watched = useContext(WatchedContext);
  if (!watched) {
    throw new Error(
      "This hook speaks of an execution: use it below <RealtimeExecutionVisualizer> or <ExecutionProvider>",
    );
  }
  return watched;
}
