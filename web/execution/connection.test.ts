import { describe, expect, it } from "vitest";
import type { ServerMessage } from "../protocol/messages.ts";
import { Connection, type Environment } from "./connection.ts";
import { RunStore } from "./run-store.ts";
import { EventLines, type Handlers, type Link, streamTransport, type Transport } from "./transport.ts";

/** Time, chance and network in the hand of the test. */
class World implements Environment {
  time = 1_000_000;
  #due: { at: number; call: () => void }[] = [];
  readonly links: Wire[] = [];

  now = () => this.time;
  random = () => 0.5;
  after = (milliseconds: number, call: () => void) => {
    const timer = { at: this.time + milliseconds, call };
    this.#due.push(timer);
    return () => {
      this.#due = this.#due.filter((one) => one !== timer);
    };
  };

  advance(milliseconds: number): void {
    const until = this.time + milliseconds;
    for (;;) {
      const next = this.#due.filter((one) => one.at <= until).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#due = this.#due.filter((one) => one !== next);
      this.time = next.at;
      next.call();
    }
    this.time = until;
  }

  transport(name: Transport["name"]): Transport {
    return {
      name,
      patience: 7_000,
      open: (handlers) => {
        const wire = new Wire(name, handlers);
        this.links.push(wire);
        return wire;
      },
    };
  }

  get wire(): Wire {
    return this.links[this.links.length - 1];
  }
}

class Wire implements Link {
  readonly asked: [string, number][] = [];
  readonly left: string[] = [];
  pings = 0;
  open = true;

  constructor(
    readonly name: string,
    readonly handlers: Handlers,
  ) {}

  subscribe(executionId: string, after: number): void {
    this.asked.push([executionId, after]);
  }

  unsubscribe(executionId: string): void {
    this.left.push(executionId);
  }

  ping(): void {
    this.pings += 1;
  }

  close(): void {
    this.open = false;
  }
}

const connected: ServerMessage = {
  type: "CONNECTED",
  clientId: "c",
  executionId: null,
  timestamp: 1_000_500,
};
const visual = { borderColor: "", icon: "", badges: [] };

function snapshot(executionId: string, seq: number): ServerMessage {
  const facts = { status: "running" as const, progress: 0, completedNodes: 0, totalNodes: 1, startTime: 1 };
  const node = { nodeId: "a", nodeName: "A", status: "running" as const, visual, timestamp: 1 };
  return { type: "EXECUTION_SNAPSHOT", data: { executionId, seq, ...facts, nodes: [node] } };
}

function frame(executionId: string, prev: number, seq: number): ServerMessage {
  return { executionId, prev, seq, messages: [] };
}

function watching() {
  const world = new World();
  const connection = new Connection([world.transport("websocket"), world.transport("sse")], world);
  const store = new RunStore("run", () => {});
  const release = connection.watch(store);
  const light = () => connection.light("run").state;
  const open = () => {
    world.wire.handlers.opened();
    world.wire.handlers.message(connected);
  };
  return { world, connection, store, release, light, open };
}

describe("the connection", () => {
  it("is live only when the past has been sent", () => {
    const { world, light, open, connection } = watching();
    expect(light()).toBe("connecting");
    open();
    expect(world.wire.asked).toEqual([["run", -1]]);
    expect(light()).toBe("catching-up");
    world.wire.handlers.message(snapshot("run", 3));
    expect(light()).toBe("live");
    expect(connection.skew).toBe(500);
  });

  it("comes back from its cursor, after a pause, and says so meanwhile", () => {
    const { world, light, open } = watching();
    open();
    world.wire.handlers.message(snapshot("run", 3));
    world.wire.handlers.message(frame("run", 3, 5));
    world.wire.handlers.closed(1006, "");
    expect(light()).toBe("offline");
    world.advance(1_000);
    expect(world.links).toHaveLength(2);
    expect(light()).toBe("offline");
    open();
    expect(world.wire.asked).toEqual([["run", 5]]);
    expect(light()).toBe("catching-up");
    world.wire.handlers.message({ type: "CAUGHT_UP", executionId: "run", seq: 5 });
    expect(light()).toBe("live");
  });

  it("asks again, once, for what is missing", () => {
    const { world, light, open, store } = watching();
    open();
    world.wire.handlers.message(snapshot("run", 3));
    world.wire.handlers.message(frame("run", 5, 6));
    world.wire.handlers.message(frame("run", 6, 7));
    expect(world.wire.asked).toEqual([
      ["run", -1],
      ["run", 3],
    ]);
    expect(light()).toBe("catching-up");
    world.wire.handlers.message(frame("run", 3, 7));
    world.wire.handlers.message({ type: "CAUGHT_UP", executionId: "run", seq: 7 });
    expect([store.cursor, light()]).toEqual([7, "live"]);
  });

  it("says that it is stale when nothing is heard, asks for a sign of life, and gives up in the end", () => {
    const { world, light, open, connection } = watching();
    open();
    world.wire.handlers.message(snapshot("run", 3));
    world.advance(5_000);
    expect(world.wire.pings).toBeGreaterThan(0);
    world.advance(3_000);
    expect(connection.light("run")).toEqual({ state: "stale", silence: 8_000 });
    world.wire.handlers.message({ type: "PONG", timestamp: 1 });
    expect(light()).toBe("live");
    const first = world.wire;
    world.advance(20_000);
    expect(first.open).toBe(false);
    expect(world.links.length).toBeGreaterThan(1);
  });

  it("takes the other way when sockets open and stay mute, and keeps the one that works", () => {
    const { world, light } = watching();
    world.wire.handlers.opened();
    world.advance(8_000);
    expect(world.wire.name).toBe("sse");
    world.wire.handlers.opened();
    world.wire.handlers.message(snapshot("run", 3));
    expect(light()).toBe("live");
    world.wire.handlers.closed(1006, "");
    world.advance(1_000);
    expect(world.wire.name).toBe("sse");
  });

  it("stays on the best way while the server restarts, and goes from one to the other when that takes long", () => {
    const { world, open } = watching();
    open();
    const ways = () => {
      const made = world.links.length;
      world.wire.handlers.closed(1006, "");
      while (world.links.length === made) world.advance(50);
      return world.wire.name;
    };
    const tried = Array.from({ length: 7 }, ways);
    expect(tried).toEqual(["websocket", "websocket", "websocket", "websocket", "sse", "websocket", "sse"]);
    world.wire.handlers.opened();
    world.wire.handlers.message(snapshot("run", 3));
    expect(Array.from({ length: 4 }, ways)).toEqual(["sse", "websocket", "sse", "websocket"]);
    // One that opens and says nothing is left at once.
    world.wire.handlers.opened();
    world.advance(12_000);
    expect(world.wire.name).toBe("sse");
  });

  it("is offline when the machine says so, comes back by itself, and at once when the machine says that it is back", () => {
    const { world, light, open, connection } = watching();
    open();
    world.wire.handlers.message(snapshot("run", 3));
    connection.sleep();
    expect([world.links.length, light()]).toEqual([1, "offline"]);
    connection.wake();
    expect(world.links).toHaveLength(2);
    connection.sleep();
    world.advance(5_000);
    expect([world.links.length, light()]).toEqual([3, "offline"]);
    open();
    world.wire.handlers.message(snapshot("run", 3));
    expect(light()).toBe("live");
  });

  it("stops when a key is needed, until there is one", () => {
    const { world, light, connection } = watching();
    world.wire.handlers.opened();
    world.wire.handlers.closed(4401, "A key is needed");
    world.advance(60_000);
    expect([world.links.length, light()]).toEqual([1, "refused"]);
    connection.forgive();
    expect(world.links).toHaveLength(2);
  });

  it("is one for many runs, and ends with the last of them", () => {
    const { world, open, connection, release } = watching();
    open();
    const other = new RunStore("other", () => {});
    const leave = connection.watch(other);
    expect(world.wire.asked).toEqual([
      ["run", -1],
      ["other", -1],
    ]);
    world.wire.handlers.message(snapshot("other", 9));
    expect(other.cursor).toBe(9);
    expect(connection.light("run").state).toBe("catching-up");
    leave();
    expect(world.wire.left).toEqual(["other"]);
    release();
    expect(world.wire.open).toBe(false);
  });

  it("does not listen to a connection that is no longer its own", () => {
    const { world, open, store } = watching();
    open();
    const old = world.wire;
    old.handlers.closed(1012, "restart");
    world.advance(10_000);
    open();
    old.handlers.message(snapshot("run", 99));
    expect(store.cursor).toBe(-1);
  });

  it("pauses longer after every failure, by chance too, and not after a success", () => {
    const { world, connection } = watching();
    const waits: number[] = [];
    for (let n = 0; n < 6; n += 1) {
      const before = world.time;
      world.wire.handlers.closed(1006, "");
      const light = connection.light("run");
      if (light.state === "offline") waits.push(light.retryAt - before);
      while (connection.light("run").state === "offline" && world.links.length === n + 1) world.advance(50);
    }
    expect(waits.every((wait, n) => n === 0 || wait > waits[n - 1])).toBe(true);
  });
});

describe("Server-Sent Events", () => {
  it("are not believed after two heartbeats of the server that did not come", () => {
    const address = { url: "http://server", socketPath: "/ws" };
    expect(streamTransport({ ...address, heartbeat: 1_000 }).patience).toBe(7_000);
    expect(streamTransport(address).patience).toBe(65_000);
  });

  it("are put together from chunks that break anywhere", () => {
    const text = 'id: 3\ndata: {"a":1}\n\n: ping\n\ndata: {"b":\ndata: 2}\n\n';
    for (let cut = 0; cut < text.length; cut += 1) {
      const lines = new EventLines();
      expect([...lines.feed(text.slice(0, cut)), ...lines.feed(text.slice(cut))]).toEqual([
        '{"a":1}',
        '{"b":\n2}',
      ]);
    }
  });
});
