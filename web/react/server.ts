/** One connection for each server, shared by all that is shown of it; it closes when nothing is. */

import { browserConnection, Runs } from "../execution/browser.ts";
import type { NodeType, WorkflowDocument } from "../protocol/document.ts";

export type GetTicket = () => Promise<string>;

/** A flowscope server, as a page on another origin reaches it. */
export class Server {
  readonly runs: Runs;
  readonly #url: string;
  #nodeTypes: Promise<ReadonlyMap<string, NodeType>> | null = null;
  readonly #tickets: { get: GetTicket | null } = { get: null };

  constructor(url: string, withTickets: boolean) {
    this.#url = url;
    const tickets = this.#tickets;
    const getTicket = () => tickets.get?.() ?? Promise.reject(new Error("no getTicket"));
    const address = { url, socketPath: "/ws/executions", ...(withTickets ? { getTicket } : {}) };
    this.runs = new Runs(browserConnection(address));
  }

  /** Use this from now on: a host's function is a new one at each of its renders. */
  askTicketsOf(getTicket: GetTicket | undefined): void {
    if (getTicket) this.#tickets.get = getTicket;
  }

  /** The graph that a run runs; null where the server has none, as of a run that is only reported. */
  definition(executionId: string): Promise<WorkflowDocument | null> {
    return this.#get(`/api/executions/${encodeURIComponent(executionId)}/definition`);
  }

  /** The node types by name, for their icons; asked for once. */
  nodeTypes(): Promise<ReadonlyMap<string, NodeType>> {
    this.#nodeTypes ??= this.#get<{ nodes: NodeType[] }>("/api/nodes").then(
      (answer) => new Map(answer?.nodes.map((type) => [type.type, type])),
    );
    return this.#nodeTypes;
  }

  async #get<Body>(path: string): Promise<Body | null> {
    try {
      const url = new URL(this.#url + path);
      if (this.#tickets.get) url.searchParams.set("ticket", await this.#tickets.get());
      const answer = await fetch(url);
      return answer.ok ? ((await answer.json()) as Body) : null;
    } catch {
      return null; // the connection says what is wrong; without the graph the rest is shown
    }
  }
}

const servers = new Map<string, Server>();

/** `backendUrl` without a trailing slash; by default the page's own origin. */
export function serverAt(backendUrl: string | undefined, getTicket: GetTicket | undefined): Server {
  const url = (backendUrl || location.origin).replace(/\/+$/, "");
  const key = `${url} ${getTicket ? "tickets" : ""}`;
  let server = servers.get(key);
  if (!server) {
    server = new Server(url, getTicket !== undefined);
    servers.set(key, server);
  }
  server.askTicketsOf(getTicket);
  return server;
}
