/** The live stream's messages. The types are the server's own, written by `python -m flowscope.live.schema`. */

export type * from "../../docs/protocol.d.ts";

import type { ErrorMessage, ServerMessage } from "../../docs/protocol.d.ts";

export const SUBPROTOCOL = "flowscope.v1";

export type RunStatus = "pending" | "running" | "waiting" | "success" | "failed" | "cancelled";
export type NodeStatus = "idle" | "pending" | "running" | "success" | "error" | "skipped";

/** A frame has no `type`: it is told by its messages. */
export type Typed = Exclude<ServerMessage, { messages: unknown }>;

export type ErrorCode = ErrorMessage["code"];

/** What arrived, or null for what is no message of ours (a newer server may say more). */
export function decode(text: string): ServerMessage | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null) return null;
  return "type" in value || "messages" in value ? (value as ServerMessage) : null;
}

/** The execution a message is about, or empty. */
export function executionOf(message: ServerMessage): string {
  if ("messages" in message) return message.executionId;
  if ("data" in message) return message.data.executionId;
  return "executionId" in message ? (message.executionId ?? "") : "";
}
