/** A variable's value as somebody writes it: JSON, or anything else as a text. */

import type { Json } from "../../protocol/document.ts";

/** What a text comes to; null where it begins as JSON and is none. */
export function readValue(text: string): { readonly value: Json } | null {
  try {
    return { value: JSON.parse(text) as Json };
  } catch {
    return /^\s*[[{"]/.test(text) ? null : { value: text };
  }
}

/** The text that comes to that value. */
export function writeValue(value: Json): string {
  if (typeof value !== "string") return JSON.stringify(value, null, 2);
  return readValue(value)?.value === value ? value : JSON.stringify(value);
}
