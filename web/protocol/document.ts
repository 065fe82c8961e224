/** A workflow as JSON, and what nodes can be made of: what the server takes and gives. */

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

export interface Problem {
  /** Such as `nodes[3].data.config.url`. */
  readonly place: string;
  readonly message: string;
  readonly remedy: string;
  /** The node it is about, where it is about one. */
  readonly nodeId?: string;
}

/** JSON Schema, as far as pydantic writes it. */
export interface Schema {
  readonly $ref?: string;
  readonly $defs?: Record<string, Schema>;
  readonly type?: string;
  readonly title?: string;
  readonly description?: string;
  readonly default?: Json;
  readonly const?: Json;
  readonly enum?: readonly Json[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly properties?: Record<string, Schema>;
  readonly additionalProperties?: boolean | Schema;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly format?: string;
  /** Of the name of a kept credential: the types that fit. */
  readonly credentialTypes?: readonly string[];
}

export interface NodeType {
  readonly type: string;
  readonly title: string;
  readonly category: string;
  readonly icon: string;
  readonly description: string;
  readonly role: "task" | "trigger" | "container" | "error_trigger";
  /** Null where they follow from the config (`switch`). */
  readonly handles: readonly string[] | null;
  readonly effects: "pure" | "external";
  readonly resources: string;
  readonly timeout: number;
  readonly example: JsonObject;
  readonly rawFields: readonly string[];
  readonly schema: Schema;
}

export interface WorkflowNode {
  id: string;
  type?: string;
  position?: { x: number; y: number };
  parentId?: string;
  width?: number;
  height?: number;
  data: {
    label?: string;
    type: string;
    category?: string;
    icon?: string;
    config?: JsonObject;
    [key: string]: Json | undefined;
  };
  [key: string]: unknown;
}

export interface WorkflowEdge {
  id: string;
  source: string;
  target: string;
  sourceHandle?: string | null;
  targetHandle?: string | null;
  [key: string]: unknown;
}

/** A workflow's document, React Flow JSON. */
export interface WorkflowDocument {
  id: string;
  name?: string;
  nodes: WorkflowNode[];
  edges: WorkflowEdge[];
  [key: string]: unknown;
}
