/** Workflows to start from: those of `examples/` that run anywhere, loaded when one is taken. */

import type { WorkflowDocument } from "../protocol/document.ts";

export interface Example {
  readonly id: string;
  readonly name: string;
  readonly teaches: string;
  load(): Promise<WorkflowDocument>;
}

const files = import.meta.glob<{ default: WorkflowDocument }>("../../examples/*.json");

function example(id: string, name: string, teaches: string): Example {
  return { id, name, teaches, load: async () => (await files[`../../examples/${id}.json`]()).default };
}

export const EXAMPLES: readonly Example[] = [
  example(
    "order_desk",
    "Order desk",
    "Branches, progress, streamed text, a retry and a join: watch everything at once.",
  ),
  example("resilient", "Resilience", "Retries with back-off, time-outs, and what happens after an error."),
  example("nested_map", "Primes below 10,000", "A map in a map: ten thousand iterations in two nodes."),
  example("approval", "Approval", "A run that waits for an answer, for as long as it takes."),
];
