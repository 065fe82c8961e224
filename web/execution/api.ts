/** The server over HTTP. Every refusal is an `ApiError` with the server's own sentence. */

import type { Json, JsonObject, NodeType, Problem, WorkflowDocument } from "../protocol/document.ts";
import type { NodeStatus, RunStatus } from "../protocol/messages.ts";

/** The document, and what the library knows of it. */
export interface StoredWorkflow extends WorkflowDocument {
  version: number;
  /** What a change to it names. */
  etag: string;
  activeVersion: number | null;
  valid: boolean;
  problems: Problem[];
  createdAt: string;
  updatedAt: string;
  savedBy: string;
}

export interface WorkflowRow {
  readonly id: string;
  readonly name: string;
  readonly version: number;
  readonly activeVersion: number | null;
  readonly nodes: number;
  readonly valid: boolean;
  readonly createdAt: string;
  readonly updatedAt: string;
  /** The run that began last. */
  readonly lastRun?: ExecutionRow;
  /** Whether its triggers start runs. */
  readonly active: boolean;
}

export interface VersionRow {
  readonly version: number;
  readonly name: string;
  readonly nodes: number;
  readonly valid: boolean;
  readonly savedAt: string;
  readonly savedBy: string;
  /** It may still be saved over. */
  readonly draft: boolean;
}

export interface ExecutionRow {
  readonly executionId: string;
  readonly workflowId: string;
  readonly workflowName?: string;
  readonly status: RunStatus;
  readonly detail?: string;
  readonly startedAt: string;
  readonly finishedAt?: string;
  readonly durationMs?: number;
  readonly error?: string;
  readonly parentExecutionId?: string;
  readonly seq: number;
}

export interface IterationsQuery {
  /** The container's own, where it is itself in a body. */
  readonly path: string;
  readonly seq: number;
  readonly status: "" | "error";
  readonly offset: number;
  readonly limit: number;
  /** The most entries of `strip`. */
  readonly cells: number;
}

export interface IterationRow {
  readonly index: number;
  readonly path: string;
  readonly status: "running" | "success" | "error" | "skipped";
  readonly startedAt?: string;
  readonly finishedAt?: string;
  readonly error?: string;
}

export interface IterationsPage {
  readonly iterations: readonly IterationRow[];
  /** How many there are with that status. */
  readonly count: number;
  readonly begun: number;
  readonly ended: number;
  readonly failed: number;
  /** All in order, each entry the worst of its share; empty where none has begun. */
  readonly strip: readonly (IterationRow["status"] | "")[];
}

export interface ExecutionNode {
  readonly nodeId: string;
  readonly nodeName: string;
  readonly status: NodeStatus;
  readonly detail?: string;
  readonly parentId?: string;
  readonly startedAt?: string;
  readonly finishedAt?: string;
  readonly durationMs?: number;
  readonly attempts?: number;
  readonly error?: string;
  /** Why it was skipped or cancelled. */
  readonly reason?: string;
  /** What it waits for, in words. */
  readonly waiting?: string;
  readonly iterations?: { total: number; running: number; done: number; failed: number };
}

export interface Execution extends ExecutionRow {
  readonly errorNodeId?: string;
  readonly definition?: string;
  readonly progress: number;
  readonly totalNodes: number;
  readonly completedNodes: number;
  readonly counts: Readonly<Record<NodeStatus, number>>;
  readonly nodes: readonly ExecutionNode[];
}

export interface Config {
  readonly version: string;
  readonly authentication: boolean;
  readonly ui: { refreshInterval: number; animationEnabled: boolean; colorTheme: "dynamic" | "static" };
  readonly websocket: { path: string; heartbeatInterval: number };
  readonly worker: { concurrency: number; timeout: number; retryAttempts: number };
  readonly limits: {
    bodyBytes: number;
    definitionBytes: number;
    jsonDepth: number;
    requestsPerSecond: number;
  };
}

/** Who is here; without keys it is anybody on this machine, with no name. */
export interface Session {
  readonly name: string;
  readonly scope: "viewer" | "editor" | "admin";
}

/** An event of the journal: `type`, `seq`, `at` (epoch milliseconds), and what the type says. */
export interface JournalEvent {
  readonly type: string;
  readonly seq: number;
  readonly at: number;
  readonly nodeId?: string;
  readonly path?: string;
  readonly attempt?: number;
  readonly [key: string]: unknown;
}

export interface EventsPage {
  readonly events: readonly JournalEvent[];
  /** How far was read: what is between is not of the kind that was asked for. */
  readonly lastSeq: number;
  readonly more: boolean;
}

/** Of a container its iterations, of a node in a body its runs: how many ran in each part of a window, and failed in it. */
export interface HeatRow {
  readonly nodeId: string;
  /** The event with which the first began. */
  readonly order: number;
  readonly runs: number;
  readonly failed: number;
  readonly running: readonly number[];
  readonly failures: readonly number[];
  readonly most: number;
}

export interface HeatPage {
  readonly from: number;
  readonly to: number;
  readonly nodes: readonly HeatRow[];
}

export interface RunQuery {
  readonly status?: readonly RunStatus[];
  readonly workflowId?: string;
  readonly search?: string;
  readonly startedAfter?: string;
  /** False: without those that another run called. */
  readonly called?: boolean;
  readonly cursor?: string;
  readonly limit?: number;
}

/** What the server answered instead. `status` 0: it could not be reached. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly problems: readonly Problem[];
  readonly details: JsonObject;

  constructor(status: number, code: string, message: string, details: JsonObject) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.details = details;
    this.problems = Array.isArray(details.problems) ? (details.problems as unknown as Problem[]) : [];
  }
}

export type Payload =
  | { readonly whole: true; readonly value: Json; readonly size: number }
  | { readonly whole: false; readonly preview: string; readonly size: number };

interface Answer<Body> {
  body: Body;
  etag: string;
}

export class Api {
  readonly base: string;
  /** Called when the server asks for a key. */
  onUnauthorized: () => void = () => {};
  /** Bytes on their way that arrive although the page goes away, and requests that end with it. */
  #kept = 0;
  #mortal = 0;

  constructor(base: string) {
    this.base = base.replace(/\/$/, "");
  }

  /** Whether something is being sent that would not arrive if the page went away now. */
  get endsWithPage(): boolean {
    return this.#mortal > 0;
  }

  // --- what there is ---

  config = () => this.#get<Config>("/api/config");
  nodeTypes = async () => (await this.#get<{ nodes: NodeType[] }>("/api/nodes")).nodes;
  examples = async () => (await this.#get<{ examples: ExampleRow[] }>("/api/examples")).examples;
  example = (id: string) => this.#get<WorkflowDocument>(`/api/examples/${part(id)}`);

  // --- workflows ---

  workflows = (search = "", cursor = "") =>
    this.#get<{ workflows: WorkflowRow[]; nextCursor?: string }>(
      `/api/workflows${query({ search, cursor, limit: 100 })}`,
    );
  workflow = async (id: string) =>
    tagged(await this.#ask<StoredWorkflow>("GET", `/api/workflows/${part(id)}`, undefined, {}));
  versions = (id: string) =>
    this.#get<{ versions: VersionRow[] }>(`/api/workflows/${part(id)}/versions?limit=100`);
  version = (id: string, version: number) =>
    this.#get<StoredWorkflow>(`/api/workflows/${part(id)}/versions/${version}`);
  activate = (id: string, version: number) =>
    this.#send<StoredWorkflow>("POST", `/api/workflows/${part(id)}/versions/${version}/activate`);
  create = (document: Omit<WorkflowDocument, "id"> & { id?: string }) =>
    this.#send<StoredWorkflow>("POST", "/api/workflows", document);
  /**
   * Saves what was made from `etag`; an `ApiError` with code VERSION_CONFLICT if somebody else has saved meanwhile.
   * `draft`: more will follow, and take its place.
   */
  save = async (document: WorkflowDocument, etag: string, draft: boolean) =>
    tagged(
      await this.#ask<StoredWorkflow>(
        "PUT",
        `/api/workflows/${part(document.id)}${query({ activate: false, draft })}`,
        document,
        { "if-match": etag },
      ),
    );
  import = (value: Json) =>
    this.#send<{ workflows: { id: string; from: string; valid: boolean }[] }>(
      "POST",
      "/api/workflows/import",
      value,
    );
  remove = (id: string) => this.#send<null>("DELETE", `/api/workflows/${part(id)}`);

  // --- runs ---

  executions = (filter: RunQuery = {}) =>
    this.#get<{ executions: ExecutionRow[]; nextCursor?: string }>(`/api/executions${query({ ...filter })}`);
  /** Without its nodes: only how many have which status. */
  counts = (id: string) => this.#get<Omit<Execution, "nodes">>(`/api/executions/${part(id)}?nodes=false`);
  execution = (id: string) => this.#get<Execution>(`/api/executions/${part(id)}`);
  /** The workflow as this run runs it. */
  definition = (id: string) => this.#get<WorkflowDocument>(`/api/executions/${part(id)}/definition`);
  start = (
    workflowId: string,
    input: Json,
    more: { version?: number; trigger?: string; until?: string } = {},
  ) => this.#send<{ executionId: string }>("POST", "/api/executions", { workflowId, input, ...more });
  command = (id: string, what: "cancel" | "pause" | "resume") =>
    this.#send<{ status: RunStatus }>("POST", `/api/executions/${part(id)}/${what}`);
  signal = (id: string, name: string, payload: Json) =>
    this.#send<{ status: RunStatus }>("POST", `/api/executions/${part(id)}/signal`, { name, payload });
  /** A page of the journal, to be read on from `lastSeq`; with `top` only the run's own events and those of its top level. */
  events = (id: string, after = 0, limit = 1_000, top = false) =>
    this.#get<EventsPage>(`/api/executions/${part(id)}/events${query({ after, limit, top: top || "" })}`);
  /** How much ran inside of containers, in `bins` parts of a window (epoch milliseconds). */
  heat = (id: string, from: number, to: number, bins: number) =>
    this.#get<HeatPage>(`/api/executions/${part(id)}/heat${query({ from, to, bins })}`);
  runInput = (id: string) => this.#get<Json>(`/api/executions/${part(id)}/input`);
  runOutput = (id: string) => this.#get<Json>(`/api/executions/${part(id)}/output`);
  /** Where the input or output of a node is; at event `seq`, if that is given. */
  payloadPath = (id: string, nodeId: string, which: "input" | "output", path = "", seq = 0) =>
    `/api/executions/${part(id)}/nodes/${part(nodeId)}/${which}${query({ path, seq: seq || "" })}`;
  nodePayload = (id: string, nodeId: string, which: "input" | "output", path = "") =>
    this.#get<Json>(`/api/executions/${part(id)}/nodes/${part(nodeId)}/${which}${query({ path })}`);
  /** A page of a container's iterations, without the first `offset`; as they were after event `seq`, if that is given. */
  iterations = (id: string, nodeId: string, page: IterationsQuery) =>
    this.#get<IterationsPage>(
      `/api/executions/${part(id)}/nodes/${part(nodeId)}/iterations${query({ ...page, seq: page.seq || "" })}`,
    );
  lines = (id: string, after = 0) =>
    this.#get<{ lines: JsonObject[]; nextOffset: number }>(
      `/api/executions/${part(id)}/lines${query({ after })}`,
    );
  tryNode = (nodeId: string, nodeType: string, config: JsonObject, input: Json, workflowId: string) =>
    this.#send<{ success: boolean; output: Json; error?: string; executionTime: number }>(
      "POST",
      "/api/execute-node",
      {
        nodeId,
        nodeType,
        config,
        input,
        workflowId,
      },
    );

  // --- who asks ---

  /** Gives the key once; the server's cookie stands for it from then on. */
  signIn = (key: string) =>
    this.#send<Session>("POST", "/api/session", undefined, {
      authorization: `Bearer ${key}`,
    });
  signOut = () => this.#send<null>("DELETE", "/api/session");

  // --- the way there ---

  /** For panels that read more than is here: GET `path` below the server's address. */
  get<Body>(path: string): Promise<Body> {
    return this.#get<Body>(path);
  }

  /** GET what is no JSON. */
  async text(path: string): Promise<string> {
    const response = await fetch(this.base + path, { credentials: "same-origin" }).catch(() => null);
    if (!response) throw new ApiError(0, "UNREACHABLE", "The server cannot be reached. Is it running?", {});
    if (!response.ok) throw this.#refusal(response.status, await response.json().catch(() => null));
    return response.text();
  }

  send<Body>(
    method: "POST" | "PUT" | "PATCH" | "DELETE",
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Body> {
    return this.#send<Body>(method, path, body, headers);
  }

  /** A payload, unless it is larger than `most` bytes: then how it begins, and how large it is where that is told. */
  async payload(path: string, most: number): Promise<Payload> {
    let response: Response;
    try {
      response = await fetch(this.base + path, { credentials: "same-origin" });
    } catch {
      throw new ApiError(0, "UNREACHABLE", "The server cannot be reached. Is it running?", {});
    }
    if (!response.ok) throw this.#refusal(response.status, await response.json().catch(() => null));
    const size = response.headers.has("content-encoding")
      ? 0
      : Number(response.headers.get("content-length"));
    const reader = response.body!.getReader();
    const decoder = new TextDecoder();
    let text = "";
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      text += decoder.decode(read.value, { stream: true });
      if (text.length <= most) continue;
      void reader.cancel();
      return { whole: false, preview: text.slice(0, 2_000), size };
    }
    text += decoder.decode();
    return { whole: true, value: JSON.parse(text) as Json, size: text.length };
  }

  async #get<Body>(path: string): Promise<Body> {
    return (await this.#ask<Body>("GET", path, undefined, {})).body;
  }

  async #send<Body>(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Body> {
    return (await this.#ask<Body>(method, path, body, headers)).body;
  }

  async #ask<Body>(
    method: string,
    path: string,
    body: unknown,
    headers: Record<string, string>,
  ): Promise<Answer<Body>> {
    const limit = method === "GET" ? new Limit() : null;
    let response: Response;
    const bytes = body === undefined ? null : new TextEncoder().encode(JSON.stringify(body));
    const size = bytes?.length ?? 0;
    const keepalive = size > 0 && this.#kept + size <= MOST_KEPT_ALIVE;
    const mortal = size > 0 && !keepalive;
    this.#kept += keepalive ? size : 0;
    this.#mortal += mortal ? 1 : 0;
    let value: unknown;
    try {
      response = await fetch(this.base + path, {
        method,
        headers: body === undefined ? headers : { "content-type": "application/json", ...headers },
        body: bytes,
        credentials: "same-origin",
        // So that what is being saved is saved, also while the page goes away.
        keepalive,
        signal: limit?.signal ?? null,
      });
      limit?.answered();
      value = response.status === 204 ? null : await response.json().catch(notJson);
    } catch {
      throw new ApiError(0, "UNREACHABLE", "The server cannot be reached. Is it running?", {});
    } finally {
      limit?.done();
      this.#kept -= keepalive ? size : 0;
      this.#mortal -= mortal ? 1 : 0;
    }
    if (!response.ok) throw this.#refusal(response.status, value);
    return { body: value as Body, etag: response.headers.get("etag") ?? "" };
  }

  #refusal(status: number, value: unknown): ApiError {
    const body = typeof value === "object" && value !== null ? (value as JsonObject) : {};
    if (status === 401) this.onUnauthorized();
    const details =
      typeof body.details === "object" && body.details !== null ? (body.details as JsonObject) : {};
    const message = typeof body.error === "string" ? body.error : `The server answered with status ${status}`;
    return new ApiError(status, typeof body.code === "string" ? body.code : "", message, details);
  }
}

/** Bytes that a page may have on their way beyond its end: the Fetch standard's limit, past which it refuses to send. */
const MOST_KEPT_ALIVE = 64 * 1024;

export interface ExampleRow {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly nodes: number;
}

function tagged({ body, etag }: Answer<StoredWorkflow>): StoredWorkflow {
  return { ...body, etag };
}

function part(text: string): string {
  return encodeURIComponent(text);
}

/** `?a=1&b=2` of what is neither empty nor undefined; a list gives its name as often as it has members. */
function query(members: Record<string, unknown>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(members)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== "" && one !== null) search.append(name, String(one));
    }
  }
  const text = search.toString();
  return text ? `?${text}` : "";
}

const ANSWER_WITHIN = 10_000;
const READ_WITHIN = 60_000;

/** A read ends, with an answer or without: on a line that is dead, and does not say so, none would ever come. */
class Limit {
  readonly #abort = new AbortController();
  readonly signal = this.#abort.signal;
  #timer = setTimeout(() => this.#abort.abort(), ANSWER_WITHIN);

  /** The answer has begun; the rest of it may take longer. */
  answered(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#abort.abort(), READ_WITHIN);
  }

  done(): void {
    clearTimeout(this.#timer);
  }
}

/** An answer that is whole, but not JSON, has no value; one that was cut off is none. */
function notJson(failed: unknown): null {
  if (failed instanceof SyntaxError) return null;
  throw failed;
}
