/** What is different between two runs of one workflow, node by node. */

import type { Execution, ExecutionNode } from "../../execution/api.ts";

export interface NodeDifference {
  readonly nodeId: string;
  readonly name: string;
  readonly a: ExecutionNode | undefined;
  readonly b: ExecutionNode | undefined;
  readonly sameStatus: boolean;
  /** b's duration less a's, in milliseconds; null where one has none. */
  readonly longer: number | null;
}

/** In the order in which the nodes started, in a before b. */
export function differencesOf(a: Execution, b: Execution): NodeDifference[] {
  const inA = new Map(a.nodes.map((node) => [node.nodeId, node]));
  const inB = new Map(b.nodes.map((node) => [node.nodeId, node]));
  const ids = [...new Set([...inA.keys(), ...inB.keys()])];
  const started = (id: string) =>
    offset(a, inA.get(id)) ?? offset(b, inB.get(id)) ?? Number.POSITIVE_INFINITY;
  const order = new Map(ids.map((id) => [id, started(id)]));
  return ids
    .sort((one, other) => {
      const first = order.get(one)!;
      const second = order.get(other)!;
      return first === second ? 0 : first - second;
    })
    .map((nodeId) => {
      const [one, other] = [inA.get(nodeId), inB.get(nodeId)];
      const both = one?.durationMs !== undefined && other?.durationMs !== undefined;
      return {
        nodeId,
        name: other?.nodeName ?? one?.nodeName ?? nodeId,
        a: one,
        b: other,
        sameStatus: one?.status === other?.status,
        longer: both ? other.durationMs! - one.durationMs! : null,
      };
    });
}

function offset(run: Execution, node: ExecutionNode | undefined): number | undefined {
  return node?.startedAt === undefined ? undefined : Date.parse(node.startedAt) - Date.parse(run.startedAt);
}
