/** What a node is set to do, in a few words: the settings that say most, in the order of the type's schema. */

import type { Json, NodeType, WorkflowNode } from "../protocol/document.ts";

const SAYS_MOST = [
  "url",
  "condition",
  "conditions",
  "expression",
  "items",
  "query",
  "sql",
  "path",
  "cron",
  "interval",
  "duration",
  "prompt",
  "message",
  "errorMessage",
  "workflowId",
  "template",
  "fields",
  "code",
];
const SAYS_LITTLE = new Set(["retry", "timeout", "onLost", "disabled", "continueOnError", "cache"]);
const LONGEST = 60;

export function summaryOf(node: WorkflowNode, type: NodeType | undefined): string {
  const config = node.data.config ?? {};
  const known = Object.keys(type?.schema.properties ?? config);
  const fields = [
    ...SAYS_MOST.filter((field) => field in config),
    ...known.filter((field) => field in config && !SAYS_LITTLE.has(field)),
  ];
  for (const field of fields) {
    const value = config[field];
    const text = brief(value, type?.schema.properties?.[field]?.format === "password", field);
    if (text) return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
  }
  return "";
}

function brief(value: Json | undefined, secret: boolean, field: string): string {
  if (secret || value === undefined || value === null || value === false || value === "") return "";
  if (typeof value === "string") return value.replace(/\s+/g, " ").trim();
  if (typeof value !== "object") return `${field} ${value}`;
  if (Array.isArray(value)) return value.map(condition).filter(Boolean).join(" and ");
  return Object.keys(value).join(", ");
}

/** `{field, operator, value}` as people say it. */
function condition(one: Json): string {
  if (typeof one !== "object" || one === null || Array.isArray(one)) return String(one);
  const { field, operator = "equals", value } = one;
  if (typeof field !== "string") return "";
  return [field, String(operator).replace(/_/g, " "), value === undefined ? "" : JSON.stringify(value)]
    .join(" ")
    .trim();
}
