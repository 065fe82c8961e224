/** `@flowscope/react`: what a host application imports. */

export type { RunFacts as ExecutionFacts } from "../execution/run-store.ts";
export type { NodeStatus, RunStatus } from "../protocol/messages.ts";
export { type ConnectionState, useConnection, useExecution, useNode, type VisualizedNode } from "./hooks.ts";
export { type NodeStatusStore, useNodeStatusStore } from "./node-status-store.ts";
export { ExecutionProvider, type ExecutionProviderProps } from "./provider.tsx";
export {
  RealtimeExecutionVisualizer,
  RealtimeExecutionVisualizer as default,
  type RealtimeExecutionVisualizerProps,
} from "./realtime-execution-visualizer.tsx";
