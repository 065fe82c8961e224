/**
 * The connection to a server: one, for any number of executions, come what may.
 *
 *            open                    CONNECTED              silence
 *   closed ────────> connecting ──────────────> open ─────────────────> stale ──┐
 *     ^                  │                        │  <── any message ─────┘     │
 *     │                  └── refused, muted ──────┴── closed ─────────────────> waiting (back-off) ──> connecting
 *     └── nobody watches
 *
 * What it says of itself is true: `live` only while something was heard within the transport's patience and the run's past
 * has been sent; `stale` says for how long nothing was heard. It comes back from where each run's cursor is, so nothing is
 * lost and nothing comes twice. Time, chance and the network are given to it.
 */

import { executionOf, type ServerMessage } from "../protocol/messages.ts";
import { Pause } from "./pause.ts";
import type { Outcome } from "./run-store.ts";
import type { Handlers, Link, Transport } from "./transport.ts";

/** What a run's store is to the connection. */
export interface Subject {
  readonly executionId: string;
  readonly cursor: number;
  caughtUp: boolean;
  readonly ended: boolean;
  receive(message: ServerMessage): Outcome;
}

export type Light =
  | { readonly state: "live" }
  | { readonly state: "catching-up" }
  /** Nothing was heard for so many milliseconds. */
  | { readonly state: "stale"; readonly silence: number }
  | { readonly state: "connecting" }
  /** No connection; the next attempt is at that time. */
  | { readonly state: "offline"; readonly retryAt: number; readonly since: number }
  /** The server will not have us: a key is needed, or it does not know the run. */
  | { readonly state: "refused"; readonly reason: string };

export interface Environment {
  now(): number;
  random(): number;
  after(milliseconds: number, call: () => void): () => void;
}

const PING_EVERY = 3_000;
const OPEN_WITHIN = 6_000;
/** Milliseconds beyond the transport's patience. */
const GIVE_UP_AFTER = 8_000;
/** A question that was not answered for so long is asked again when something shows that it is still open. */
const ASK_AGAIN = 3_000;
/** Attempts after which the best way is left that has worked before. */
const STEADY = 4;

const UNAUTHORIZED = 4401;
const FORBIDDEN = 4403;
const RESTART = 1012;

export class Connection {
  readonly #transports: readonly Transport[];
  readonly #environment: Environment;
  readonly #pause: Pause;
  readonly #subjects = new Map<string, Subject>();
  readonly #listeners = new Set<() => void>();
  readonly #refusals = new Map<string, string>();
  /** Executions a subscription was sent for, and not answered; and when. */
  readonly #asked = new Map<string, number>();
  #way = 0;
  #misses = 0;
  /** The way on which something was heard last; -1: on none yet. */
  #proven = -1;
  #link: Link | null = null;
  #generation = 0;
  #open = false;
  #heard = 0;
  #heardSomething = false;
  #lostAt = 0;
  #retryAt = 0;
  #refused = "";
  #cancelTick: (() => void) | null = null;
  #cancelRetry: (() => void) | null = null;
  /** How often a connection was made: for tests and the curious. */
  connections = 0;
  /** What time was on the server when it last said so, less what it was here; for clocks that show durations. */
  skew = 0;

  constructor(transports: readonly Transport[], environment: Environment) {
    this.#transports = transports;
    this.#environment = environment;
    this.#pause = new Pause(environment.random);
  }

  get transport(): Transport["name"] {
    return this.#transports[this.#way % this.#transports.length].name;
  }

  /** Watch an execution until the returned function is called. */
  watch(subject: Subject): () => void {
    this.#subjects.set(subject.executionId, subject);
    if (this.#open) this.#subscribe(subject);
    else if (!this.#link && !this.#cancelRetry) this.#connect();
    return () => {
      if (this.#subjects.get(subject.executionId) !== subject) return;
      this.#subjects.delete(subject.executionId);
      this.#asked.delete(subject.executionId);
      this.#refusals.delete(subject.executionId);
      if (this.#open) this.#link?.unsubscribe(subject.executionId);
      if (!this.#subjects.size) this.#drop();
    };
  }

  /** What is true of the connection now, for one execution. */
  light(executionId: string): Light {
    const refusal = this.#refused || this.#refusals.get(executionId);
    if (refusal) return { state: "refused", reason: refusal };
    if (!this.#link) {
      if (!this.#cancelRetry) return { state: "connecting" };
      return { state: "offline", retryAt: this.#retryAt, since: this.#lostAt };
    }
    if (!this.#open) {
      return this.#lostAt ? { state: "offline", retryAt: 0, since: this.#lostAt } : { state: "connecting" };
    }
    const silence = this.#environment.now() - this.#heard;
    if (silence > this.#patience()) return { state: "stale", silence };
    return this.#subjects.get(executionId)?.caughtUp ? { state: "live" } : { state: "catching-up" };
  }

  /** Called when the light may have changed. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The machine is back on the network, or somebody looks again: now is a good time. */
  wake(): void {
    if (!this.#subjects.size || this.#refused) return;
    if (this.#link && this.#open) {
      // Perhaps the machine slept: an old connection must show that it lives, and soon.
      if (this.#environment.now() - this.#heard > this.#patience()) this.#lose("silent after a pause");
      else this.#link.ping();
      return;
    }
    if (!this.#link) this.#connect();
  }

  /** The network is gone: what is shown from now on is not live. It is tried again like after any other loss, because a
   * server on this machine needs no network, and because not every machine says when it is back. */
  sleep(): void {
    if (this.#link) this.#lose("the machine is offline");
  }

  /** Try again after a refusal: there is a key now. */
  forgive(): void {
    this.#refused = "";
    this.#refusals.clear();
    this.#drop();
    if (this.#subjects.size) this.#connect();
  }

  stop(): void {
    this.#subjects.clear();
    this.#drop();
  }

  // --- one connection ---

  #connect(): void {
    this.#cancelRetry?.();
    this.#cancelRetry = null;
    this.connections += 1;
    const generation = ++this.#generation;
    const current = (act: () => void) => {
      if (generation === this.#generation) act();
    };
    const handlers: Handlers = {
      opened: () => current(() => this.#opened()),
      message: (message) => current(() => this.#received(message)),
      alive: () => current(() => this.#hear()),
      closed: (code, reason) => current(() => this.#closed(code, reason)),
    };
    this.#open = false;
    this.#heardSomething = false;
    this.#heard = this.#environment.now();
    this.#link = this.#transports[this.#way % this.#transports.length].open(handlers);
    this.#tick();
    this.#tell();
  }

  #opened(): void {
    this.#open = true;
    this.#asked.clear();
    this.#heard = this.#environment.now();
    for (const subject of this.#subjects.values()) this.#subscribe(subject);
    this.#tell();
  }

  #subscribe(subject: Subject): void {
    const asked = this.#asked.get(subject.executionId);
    if (asked !== undefined && this.#environment.now() - asked < ASK_AGAIN) return;
    this.#asked.set(subject.executionId, this.#environment.now());
    subject.caughtUp = false;
    this.#link?.subscribe(subject.executionId, subject.cursor);
  }

  #received(message: ServerMessage): void {
    this.#hear();
    if (!this.#heardSomething) {
      this.#heardSomething = true;
      this.#proven = this.#way % this.#transports.length;
      this.#lostAt = 0;
    }
    if ("type" in message) {
      if (message.type === "CONNECTED" || message.type === "PONG") {
        this.skew = message.timestamp - this.#environment.now();
        return;
      }
      if (message.type === "ERROR") {
        this.#complained(message.code, message.message, message.executionId ?? "");
        return;
      }
    }
    const subject = this.#subjects.get(executionOf(message));
    if (!subject) return;
    const outcome = subject.receive(message);
    if (outcome === "gap") {
      this.#subscribe(subject);
      this.#tell();
    } else if (outcome === "applied") {
      this.#answered(subject, message);
    }
  }

  /** A snapshot is everything, and so is what came up to `CAUGHT_UP`. */
  #answered(subject: Subject, message: ServerMessage): void {
    if ("messages" in message) {
      this.#asked.delete(subject.executionId);
      this.#pause.reset();
      return;
    }
    if (message.type === "EXECUTION_SNAPSHOT") subject.caughtUp = true;
    if (message.type === "EXECUTION_SNAPSHOT" || message.type === "CAUGHT_UP") {
      this.#asked.delete(subject.executionId);
      this.#pause.reset();
      this.#tell();
    }
  }

  #complained(code: string, text: string, executionId: string): void {
    if (code === "EXECUTION_NOT_FOUND" || code === "TOO_MANY_SUBSCRIPTIONS")
      this.#refusals.set(executionId, text);
    if (code === "UNAVAILABLE") this.#lose(text);
    this.#tell();
  }

  #hear(): void {
    const stale = this.#environment.now() - this.#heard > this.#patience();
    this.#heard = this.#environment.now();
    if (stale) this.#tell();
  }

  #patience(): number {
    return this.#transports[this.#way % this.#transports.length].patience;
  }

  // --- its end ---

  #closed(code: number, reason: string): void {
    if (code === UNAUTHORIZED || code === FORBIDDEN || code === 401 || code === 403) {
      this.#refused = reason || "A key is needed";
      this.#link = null;
      this.#open = false;
      this.#tell();
      return;
    }
    if (code === 404)
      for (const subject of this.#subjects.values())
        if (subject.cursor < 0) this.#refusals.set(subject.executionId, "There is no such run");
    if (code === RESTART) this.#pause.reset();
    this.#lose(reason);
  }

  /** `elsewhere`: this way will not do, so the next attempt takes the other. */
  #lose(_reason: string, elsewhere = false): void {
    const link = this.#link;
    this.#generation += 1;
    this.#link = null;
    this.#open = false;
    link?.close();
    this.#lostAt ||= this.#environment.now();
    for (const subject of this.#subjects.values()) subject.caughtUp = false;
    this.#misses = this.#heardSomething ? 0 : this.#misses + 1;
    // The best way is not left before it has failed again and again, if it has ever worked: the server may be restarting.
    // After that, and on the second best, each attempt takes the other way.
    if (this.#misses && (elsewhere || this.#proven !== 0 || this.#misses >= STEADY)) this.#way += 1;
    const wait = this.#pause.next();
    this.#retryAt = this.#environment.now() + wait;
    this.#cancelRetry?.();
    this.#cancelRetry = this.#environment.after(wait, () => {
      this.#cancelRetry = null;
      if (this.#subjects.size) this.#connect();
    });
    this.#tell();
  }

  #drop(): void {
    this.#generation += 1;
    this.#link?.close();
    this.#link = null;
    this.#open = false;
    this.#lostAt = 0;
    this.#cancelRetry?.();
    this.#cancelRetry = null;
    this.#cancelTick?.();
    this.#cancelTick = null;
    this.#tell();
  }

  /** The heartbeat: asks for signs of life, and notices their absence. */
  #tick(): void {
    this.#cancelTick?.();
    const generation = this.#generation;
    this.#cancelTick = this.#environment.after(1_000, () => {
      this.#cancelTick = null;
      if (generation === this.#generation && this.#link) this.#beat();
    });
  }

  #beat(): void {
    const silence = this.#environment.now() - this.#heard;
    const patience = this.#patience();
    if (!this.#open && silence > OPEN_WITHIN) return this.#lose("it does not open");
    // Open, and yet not even CONNECTED: something in between lets sockets open and swallows what is said.
    if (this.#open && !this.#heardSomething && this.transport === "websocket" && silence > OPEN_WITHIN) {
      return this.#lose("it is mute", true);
    }
    if (silence > patience + GIVE_UP_AFTER) return this.#lose("silent");
    if (this.#open && silence >= PING_EVERY - 100) this.#link?.ping();
    if (silence > patience) this.#tell();
    this.#tick();
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
