/** The connection and the stores in a real browser: frames, timers, online and visibility. */

import { Connection, type Environment } from "./connection.ts";
import { RunStore } from "./run-store.ts";
import { type Address, streamTransport, webSocketTransport } from "./transport.ts";

/** One flush per animation frame; in a hidden tab, which has no frames, a few times a second. */
export function onFrame(flush: () => void): void {
  if (document.hidden) setTimeout(flush, 250);
  else requestAnimationFrame(flush);
}

const ENVIRONMENT: Environment = {
  now: () => Date.now(),
  random: () => Math.random(),
  after: (milliseconds, call) => {
    const timer = setTimeout(call, milliseconds);
    return () => clearTimeout(timer);
  },
};

/** Opens when something is watched, closes when nothing is. */
export function browserConnection(address: Address): Connection {
  const connection = new Connection([webSocketTransport(address), streamTransport(address)], ENVIRONMENT);
  addEventListener("online", () => connection.wake());
  addEventListener("offline", () => connection.sleep());
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) connection.wake();
  });
  return connection;
}

/** The stores of the runs that somebody looks at, shared by all who do. */
export class Runs {
  readonly connection: Connection;
  readonly #open = new Map<string, { store: RunStore; users: number; release: () => void }>();

  constructor(connection: Connection) {
    this.connection = connection;
  }

  /** The run's store, kept up to date until `release` has been called as often. */
  acquire(executionId: string): { store: RunStore; release: () => void } {
    let entry = this.#open.get(executionId);
    if (!entry) {
      const store = new RunStore(executionId, onFrame);
      entry = { store, users: 0, release: this.connection.watch(store) };
      this.#open.set(executionId, entry);
    }
    const held = entry;
    held.users += 1;
    let released = false;
    return {
      store: held.store,
      release: () => {
        if (released) return;
        released = true;
        held.users -= 1;
        // Whoever comes in the same breath (a page that is drawn again) finds it still there.
        setTimeout(() => {
          if (held.users || this.#open.get(executionId) !== held) return;
          held.release();
          this.#open.delete(executionId);
        }, 1_000);
      },
    };
  }
}
