// The flowscope live stream. Written by `python -m flowscope.live.schema`; do not edit.

export declare const SUBPROTOCOL: "flowscope.v1";

/** A small label on a node. */
export interface Badge {
  label: string;
  value: string;
}

/** All that had happened when it was sent has been sent; what follows is live. Answers a subscription with `after`. */
export interface CaughtUp {
  type: "CAUGHT_UP";
  executionId: string;
  seq: number;
}

export type ClientMessage = Subscribe | Unsubscribe | Ping;

/** The first message. `executionId` is that of the query, or null. */
export interface Connected {
  type: "CONNECTED";
  clientId: string;
  executionId: string | null;
  timestamp: number;
}

/** Something a client asked for cannot be done; the connection stays. */
export interface ErrorMessage {
  type: "ERROR";
  code: "BAD_JSON" | "BAD_MESSAGE" | "EXECUTION_NOT_FOUND" | "TOO_MANY_SUBSCRIPTIONS" | "UNAVAILABLE" | "UNKNOWN_TYPE";
  message: string;
  executionId?: string;
}

export interface ExecutionSnapshot {
  type: "EXECUTION_SNAPSHOT";
  data: SnapshotData;
}

export interface ExecutionUpdate {
  type: "EXECUTION_UPDATE";
  data: ExecutionUpdateData;
}

/** The run as it is after event `seq`, whole. */
export interface ExecutionUpdateData {
  executionId: string;
  seq: number;
  status: "cancelled" | "failed" | "pending" | "running" | "success" | "waiting";
  progress: number;
  completedNodes: number;
  totalNodes: number;
  startTime: number;
  duration?: number;
  error?: string;
  detail?: string;
}

/** What `flowscope.v1` gets instead of single updates: the events `prev + 1 .. seq`. A client applies it whole if `prev` is its cursor, drops it if `seq` is not beyond its cursor, and otherwise subscribes again with `after`. `seq` equal to `prev`: a part of an event too large for one frame; the cursor stays. */
export interface Frame {
  executionId: string;
  prev: number;
  seq: number;
  messages: (NodeUpdate | ExecutionUpdate)[];
}

/** A container's iterations, in whole percents of progress: it is told when the percent changes, or one fails. */
export interface Iterations {
  total: number;
  done: number;
  failed: number;
}

/** The messages of events `from` to `to` are not sent; a snapshot at `to` or later follows. (`from` beyond `to`: the client's cursor was ahead of the journal.) */
export interface Lagged {
  type: "LAGGED";
  executionId: string;
  from: number;
  to: number;
}

/** One node. `detail` is a word beside `status`: queued, retrying, waiting, asking, cancelled, timed out, lost, cached, pinned, kept. `attempt` is left out while it is 1 or none. `until` is when a pending node goes on by itself (its next attempt, or the end of its wait). `handle` is the one its answer left by, left out where that is `output`; of a node in a body none is told. */
export interface NodeEntry {
  nodeId: string;
  nodeName: string;
  status: "error" | "idle" | "pending" | "running" | "skipped" | "success";
  visual: Visual;
  timestamp: number;
  duration?: number;
  progress?: number;
  error?: string;
  detail?: string;
  startTime?: number;
  attempt?: number;
  until?: number;
  handle?: string;
  iterations?: Iterations;
}

export interface NodeLog {
  type: "NODE_LOG";
  data: NodeLogData;
}

/** What an attempt logged (`kind` log, with a `level`) or streamed (`kind` stream). `offset` counts the words of this attempt from 0: a jump means that some were dropped here and are to be read over HTTP. */
export interface NodeLogData {
  executionId: string;
  nodeId: string;
  attempt: number;
  offset: number;
  kind: "log" | "stream";
  level: string;
  text: string;
  timestamp: number;
  path?: string;
}

export interface NodeProgress {
  type: "NODE_PROGRESS";
  data: NodeProgressData;
}

/** How far a running attempt is; the latest wins. `detail` says why it does not run yet (`queued, 3rd of 12, waits for worker`), and takes the place of the node's; without it, it runs. */
export interface NodeProgressData {
  executionId: string;
  nodeId: string;
  attempt: number;
  progress: number;
  timestamp: number;
  path?: string;
  message?: string;
  detail?: string;
}

export interface NodeUpdate {
  type: "NODE_UPDATE";
  data: NodeUpdateData;
}

/** A node as it is after event `seq`, whole: it replaces what was known. `more`: this event has further messages, and the cursor moves only with the last. Without `seq` it is of the ephemeral lane (progress, for clients without frames). */
export interface NodeUpdateData {
  nodeId: string;
  nodeName: string;
  status: "error" | "idle" | "pending" | "running" | "skipped" | "success";
  visual: Visual;
  timestamp: number;
  duration?: number;
  progress?: number;
  error?: string;
  detail?: string;
  startTime?: number;
  attempt?: number;
  until?: number;
  handle?: string;
  iterations?: Iterations;
  executionId: string;
  seq?: number;
  more?: boolean;
}

/** Answered by `PONG`. */
export interface Ping {
  type: "PING";
}

export interface Pong {
  type: "PONG";
  timestamp: number;
}

export type ServerMessage = Connected | ExecutionSnapshot | NodeUpdate | ExecutionUpdate | CaughtUp | Lagged | ErrorMessage | Pong | NodeProgress | NodeLog | Frame;

/** Everything as it is after event `seq`: it replaces what was known, the cursor too. One over 1 MiB comes in `pages`; each has the run's facts and its share of the nodes, and only all of them together are a snapshot. */
export interface SnapshotData {
  executionId: string;
  seq: number;
  status: "cancelled" | "failed" | "pending" | "running" | "success" | "waiting";
  progress: number;
  completedNodes: number;
  totalNodes: number;
  startTime: number;
  duration?: number;
  error?: string;
  detail?: string;
  nodes: NodeEntry[];
  workflowId?: string;
  page?: number;
  pages?: number;
}

/** Watch an execution: with `after`, from the event after that one; without, from a snapshot. */
export interface Subscribe {
  type: "SUBSCRIBE";
  executionId: string;
  after?: number;
}

export interface Unsubscribe {
  type: "UNSUBSCRIBE";
  executionId: string;
}

/** Colours, icon and motion of a node. What is undefined is left out, `badges` never. */
export interface Visual {
  borderColor: string;
  icon: string;
  animation?: string;
  badges: Badge[];
  glow?: boolean;
  pulse?: boolean;
}

/** Application close codes: see docs/protocol.md. */
export type CloseCode = 1001 | 1009 | 1012 | 4401 | 4403 | 4408 | 4413 | 4429 | 4503;
