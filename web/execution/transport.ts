/** The two ways messages come in. Each opens one connection, and says once that it is closed. */

import { decode, type ServerMessage, SUBPROTOCOL } from "../protocol/messages.ts";

export interface Handlers {
  /** It is open: something may be said. */
  opened(): void;
  message(message: ServerMessage): void;
  /** Bytes that are no message, but a sign of life. */
  alive(): void;
  /** `code` is a WebSocket close code, or an HTTP status below 1000. */
  closed(code: number, reason: string): void;
}

export interface Link {
  /** Watch an execution, from the event after `after` on (-1: from a snapshot). */
  subscribe(executionId: string, after: number): void;
  unsubscribe(executionId: string): void;
  /** Ask for a sign of life. */
  ping(): void;
  close(): void;
}

export interface Transport {
  readonly name: "websocket" | "sse";
  /** Milliseconds of silence after which the connection is not to be believed. */
  readonly patience: number;
  open(handlers: Handlers): Link;
}

export interface Address {
  /** The server's origin, such as `http://127.0.0.1:3001`, with the path it is mounted at. */
  readonly url: string;
  readonly socketPath: string;
  /** Milliseconds between two signs of life from the server; 30 s where it is not known. */
  readonly heartbeat?: number;
  /** For servers with keys, where no cookie says who asks. */
  readonly getTicket?: () => Promise<string>;
}

/** One WebSocket for any number of executions. */
export function webSocketTransport(address: Address): Transport {
  return { name: "websocket", patience: 7_000, open: (handlers) => new SocketLink(address, handlers) };
}

class SocketLink implements Link {
  #socket: WebSocket | null = null;
  #closed = false;
  readonly #handlers: Handlers;

  constructor(address: Address, handlers: Handlers) {
    this.#handlers = handlers;
    void this.#open(address);
  }

  async #open(address: Address): Promise<void> {
    const url = new URL(address.url.replace(/^http/, "ws"));
    url.pathname = url.pathname.replace(/\/$/, "") + address.socketPath;
    try {
      if (address.getTicket) url.searchParams.set("ticket", await address.getTicket());
      if (this.#closed) return;
      this.#socket = new WebSocket(url, SUBPROTOCOL);
    } catch (error) {
      this.#close(0, String(error));
      return;
    }
    this.#socket.onopen = () => this.#handlers.opened();
    this.#socket.onmessage = (event: MessageEvent<unknown>) => {
      const message = typeof event.data === "string" ? decode(event.data) : null;
      if (this.#closed) return;
      if (message) this.#handlers.message(message);
      else this.#handlers.alive();
    };
    this.#socket.onclose = (event) => this.#close(event.code, event.reason);
  }

  subscribe(executionId: string, after: number): void {
    this.#say(after >= 0 ? { type: "SUBSCRIBE", executionId, after } : { type: "SUBSCRIBE", executionId });
  }

  unsubscribe(executionId: string): void {
    this.#say({ type: "UNSUBSCRIBE", executionId });
  }

  ping(): void {
    this.#say({ type: "PING" });
  }

  close(): void {
    this.#closed = true;
    this.#socket?.close(1000);
  }

  #say(message: object): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #close(code: number, reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#handlers.closed(code, reason);
  }
}

/** A stream of Server-Sent Events an execution, read with fetch, so that silence can be seen: two heartbeats that do not come. */
export function streamTransport(address: Address): Transport {
  const patience = 2 * (address.heartbeat ?? 30_000) + 5_000;
  return { name: "sse", patience, open: (handlers) => new StreamLink(address, handlers) };
}

class StreamLink implements Link {
  readonly #address: Address;
  readonly #handlers: Handlers;
  readonly #streams = new Map<string, AbortController>();
  #closed = false;

  constructor(address: Address, handlers: Handlers) {
    this.#address = address;
    this.#handlers = handlers;
    queueMicrotask(() => {
      if (!this.#closed) handlers.opened();
    });
  }

  subscribe(executionId: string, after: number): void {
    this.unsubscribe(executionId);
    const abort = new AbortController();
    this.#streams.set(executionId, abort);
    this.#read(executionId, after, abort.signal).then(
      () => this.#ended(abort, 1006, "the stream has ended"),
      (error: unknown) => this.#ended(abort, error instanceof Refused ? error.status : 0, String(error)),
    );
  }

  unsubscribe(executionId: string): void {
    this.#streams.get(executionId)?.abort();
    this.#streams.delete(executionId);
  }

  ping(): void {}

  close(): void {
    this.#closed = true;
    for (const abort of this.#streams.values()) abort.abort();
    this.#streams.clear();
  }

  #ended(abort: AbortController, code: number, reason: string): void {
    if (this.#closed || abort.signal.aborted) return;
    this.close();
    this.#handlers.closed(code, reason);
  }

  async #read(executionId: string, after: number, signal: AbortSignal): Promise<void> {
    const base = this.#address.url.replace(/\/$/, "");
    const url = new URL(`${base}/api/executions/${encodeURIComponent(executionId)}/stream`);
    if (after >= 0) url.searchParams.set("after", String(after));
    if (this.#address.getTicket) url.searchParams.set("ticket", await this.#address.getTicket());
    const response = await fetch(url, { signal, headers: { accept: "text/event-stream" } });
    if (!response.ok || !response.body) throw new Refused(response.status);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const events = new EventLines();
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      if (signal.aborted) return;
      this.#handlers.alive();
      for (const data of events.feed(chunk.value)) {
        const message = decode(data);
        if (message) this.#handlers.message(message);
      }
    }
  }
}

class Refused extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`HTTP ${status}`);
    this.status = status;
  }
}

/** The `data` of Server-Sent Events, from chunks that break anywhere. */
export class EventLines {
  #rest = "";

  feed(chunk: string): string[] {
    const blocks = (this.#rest + chunk).split(/\r?\n\r?\n/);
    this.#rest = blocks.pop() ?? "";
    return blocks.map(dataOf).filter((data) => data !== "");
  }
}

function dataOf(block: string): string {
  return block
    .split(/\r?\n/)
    .filter((line) => line.startsWith("data:"))
    .map((line) => line.slice(line.startsWith("data: ") ? 6 : 5))
    .join("\n");
}
