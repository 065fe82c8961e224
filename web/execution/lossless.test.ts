/** Whatever happens to the connection, every viewer ends with the server's state: two hundred unlucky evenings. */

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Frame, ServerMessage } from "../protocol/messages.ts";
import { Connection, type Environment } from "./connection.ts";
import { RunStore } from "./run-store.ts";
import type { Handlers, Link, Transport } from "./transport.ts";

interface Vector {
  name: string;
  executionId: string;
  messages: ServerMessage[];
  outcomes: string[];
  state: { seq: number; nodes: object[] };
}

const FILE = new URL("../../tests/vectors/live.json", import.meta.url);
const stories = (JSON.parse(readFileSync(FILE, "utf8")) as Vector[]).filter((vector) =>
  vector.name.endsWith(", framed"),
);

/** Mulberry32: the same evenings every time. */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** What the server has, and tells a viewer from any event on; a little of it at a time. */
class Server {
  readonly snapshot: ServerMessage;
  readonly frames: Frame[];
  known = 0;

  constructor(readonly story: Vector) {
    this.snapshot = story.messages[0];
    // Those that followed on what was known then: all the others came too early, or twice.
    this.frames = story.messages.filter(
      (message, n): message is Frame => "messages" in message && story.outcomes[n] === "applied",
    );
  }

  get done(): boolean {
    return this.known === this.frames.length;
  }
}

class Line implements Link {
  queue: ServerMessage[] = [];
  sent = 0;
  watching = false;
  open = true;

  constructor(
    readonly server: Server,
    readonly handlers: Handlers,
  ) {
    this.queue.push({ type: "CONNECTED", clientId: "c", executionId: null, timestamp: 0 });
  }

  subscribe(executionId: string, after: number): void {
    this.watching = true;
    if (after < 0) this.queue.push(this.server.snapshot);
    this.sent = this.server.frames.findIndex((frame) => frame.prev >= Math.max(0, after));
    if (this.sent < 0) this.sent = this.server.frames.length;
    this.#push();
    if (after >= 0) this.queue.push({ type: "CAUGHT_UP", executionId, seq: after });
  }

  #push(): void {
    while (this.watching && this.sent < this.server.known) this.queue.push(this.server.frames[this.sent++]);
  }

  deliver(luck: () => number): void {
    this.#push();
    const message = this.queue.shift();
    if (!message) return;
    // Lost on the way: what follows shows that something is missing.
    if (luck() < 0.04 && this.queue.some((later) => "messages" in later)) return;
    this.handlers.message(message);
    if (luck() < 0.08) this.handlers.message(message);
  }

  unsubscribe(): void {
    this.watching = false;
  }

  ping(): void {
    this.queue.push({ type: "PONG", timestamp: 0 });
  }

  close(): void {
    this.open = false;
  }
}

function evening(story: Vector, seed: number): { store: RunStore; connection: Connection } {
  const luck = chance(seed);
  const server = new Server(story);
  let time = 0;
  let due: { at: number; call: () => void }[] = [];
  let online = true;
  let line: Line | null = null;
  const world: Environment = {
    now: () => time,
    random: luck,
    after: (milliseconds, call) => {
      const timer = { at: time + milliseconds, call };
      due.push(timer);
      return () => {
        due = due.filter((one) => one !== timer);
      };
    },
  };
  const transport: Transport = {
    name: "websocket",
    patience: 7_000,
    open: (handlers) => {
      line = new Line(server, handlers);
      return line;
    },
  };
  const pass = (milliseconds: number) => {
    time += milliseconds;
    for (const timer of due.filter((one) => one.at <= time)) {
      due = due.filter((one) => one !== timer);
      timer.call();
    }
  };
  const connection = new Connection([transport], world);
  const store = new RunStore(story.executionId, () => {});
  connection.watch(store);
  const opened = new Set<Line>();
  for (let step = 0; step < 4_000; step += 1) {
    const current = line as Line | null;
    if (current?.open && !opened.has(current)) {
      opened.add(current);
      current.handlers.opened();
    }
    const what = luck();
    const calm = step > 600;
    if (what < 0.3 && !server.done) server.known += 1;
    else if (what < 0.72) current?.open && current.deliver(calm ? () => 1 : luck);
    else if (!calm && what < 0.76) current?.open && current.handlers.closed(luck() < 0.5 ? 1006 : 1012, "");
    else if (!calm && what < 0.78)
      pass(40_000); // the machine slept
    else if (!calm && what < 0.8) {
      online = false;
      connection.sleep();
    } else {
      if (!online) {
        online = true;
        connection.wake();
      }
      pass(400);
    }
    if (
      calm &&
      server.done &&
      store.cursor === story.state.seq &&
      connection.light(story.executionId).state === "live"
    )
      break;
  }
  return { store, connection };
}

describe("two hundred evenings of lost, doubled and broken connections", () => {
  it("end with the server's state, and with the light on", () => {
    for (let seed = 1; seed <= 200; seed += 1) {
      const story = stories[seed % stories.length];
      const { store, connection } = evening(story, seed);
      const about = `${story.name}, evening ${seed}`;
      expect(store.state(), about).toEqual(story.state);
      expect(connection.light(story.executionId).state, about).toBe("live");
    }
  });
});
