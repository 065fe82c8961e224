import { expect, test } from "vitest";
import { readValue, writeValue } from "./variable-text.ts";

test("whatever a value is, what is written of it comes to it again", () => {
  for (const value of [
    "eu",
    "12",
    "",
    "null",
    ' "a" ',
    "{{ x }}",
    "é\n",
    12,
    null,
    true,
    [1],
    { a: { b: [] } },
  ])
    expect(readValue(writeValue(value))).toEqual({ value });
});

test("what begins as JSON and is none is no text by accident", () => {
  for (const text of ['{"a": 1,', "[1, 2", '"open']) expect(readValue(text)).toBeNull();
  expect(readValue("12 apples")).toEqual({ value: "12 apples" });
});
