/** The settings of a node: a form made from its type's schema, what every node has, and the raw JSON for whoever wants it. */

import { useQueries, useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useMemo, useState } from "react";
import {
  type KeptCredential,
  useCredentials,
  useSecretNames,
  useVariables,
} from "../../execution/react/kept.ts";
import type { Json, JsonObject, NodeType } from "../../protocol/document.ts";
import type { NodePanelProps } from "../inspector.tsx";
import { knownNames, upstreamOf } from "./completions.ts";
import { FieldView } from "./field-view.tsx";
import { type Field, fieldsOf, unknownKeys } from "./fields.ts";
import { SettingsProvider } from "./settings-context.ts";

const CodeEditor = lazy(async () => ({ default: (await import("./code-editor.tsx")).CodeEditor }));

export function Settings(props: NodePanelProps & { kind: NodeType | undefined }) {
  const { api, editor, node, kind, problems } = props;
  const [raw, setRaw] = useState(false);
  const run = usePreviewRun(props);
  const known = useKnown(props, run);
  const preview = useMemo(
    () => (run.started.has(node.id) ? { executionId: run.executionId, nodeId: node.id } : null),
    [run, node.id],
  );
  const fields = useMemo(() => (kind ? fieldsOf(kind) : []), [kind]);
  const config = node.data.config ?? {};
  const own = problems.filter((problem) => problem.nodeId === node.id);
  const shown = new Set([...fields.map((field) => field.name), ...POLICY_FIELDS.map((field) => field.name)]);
  // What no field can show is said on top.
  const rest = own.filter((problem) => ![...shown].some((name) => problem.place.includes(`config.${name}`)));
  const context = useMemo(
    () => ({ api, known, readOnly: editor.readOnly, preview, problems: own }),
    [api, known, editor, preview, own],
  );
  const set = (name: string) => (value: Json | undefined) => editor.setConfig(node.id, name, value);
  return (
    <SettingsProvider value={context}>
      {rest.map((problem) => (
        <p
          key={problem.place + problem.message}
          role="alert"
          className="rounded-lg border border-error-ink/40 p-2 text-xs text-error-ink"
        >
          {problem.message}
          {problem.remedy && <span className="block text-muted">{problem.remedy}</span>}
        </p>
      ))}
      <div className="flex items-start gap-2">
        <p className="flex-1 text-xs text-muted">
          {kind?.description.replace(/`/g, "").replace(/\s+/g, " ")}
        </p>
        <button
          type="button"
          className="rev-button rev-button-small"
          aria-pressed={raw}
          title="All settings of the node, as JSON"
          onClick={() => setRaw(!raw)}
        >
          JSON
        </button>
      </div>
      {raw ? (
        <RawConfig config={config} set={(next) => editor.setData(node.id, { config: next })} />
      ) : (
        <form className="space-y-4 pt-1" onSubmit={(event) => event.preventDefault()}>
          <NameField {...props} />
          {fields.map((field) => (
            <FieldView
              key={field.name}
              field={field}
              value={config[field.name]}
              place={`config.${field.name}`}
              change={set(field.name)}
            />
          ))}
          {kind && kind.role !== "trigger" && (
            <details
              className="border-t border-line pt-3"
              open={POLICY_FIELDS.some(({ name }) => config[name] !== undefined)}
            >
              <summary className="cursor-pointer text-xs font-medium text-muted">
                When it fails or takes long
              </summary>
              <div className="mt-3 space-y-4">
                {POLICY_FIELDS.map((field) => (
                  <FieldView
                    key={field.name}
                    field={field}
                    value={retryObject(field, config[field.name])}
                    place={`config.${field.name}`}
                    change={set(field.name)}
                  />
                ))}
              </div>
            </details>
          )}
          {unknownKeys(config, fields).length > 0 && (
            <p className="text-xs text-muted">
              Also set, see JSON: <span className="font-mono">{unknownKeys(config, fields).join(", ")}</span>
            </p>
          )}
        </form>
      )}
    </SettingsProvider>
  );
}

function NameField({ editor, node }: NodePanelProps) {
  return (
    <label className="grid gap-1 text-xs font-medium">
      Name
      <input
        className="rev-input"
        value={node.data.label ?? ""}
        placeholder={node.id}
        readOnly={editor.readOnly}
        onKeyDown={(event) => event.stopPropagation()}
        onChange={(event) => editor.setData(node.id, { label: event.target.value })}
      />
    </label>
  );
}

function RawConfig({ config, set }: { config: JsonObject; set: (config: JsonObject) => void }) {
  const [error, setError] = useState("");
  const text = useMemo(() => JSON.stringify(config, null, 2), [config]);
  return (
    <div className="space-y-1">
      <Suspense fallback={<div className="h-40 rounded-lg border border-line bg-sunken" aria-busy="true" />}>
        <CodeEditor
          label="Settings as JSON"
          language="json"
          value={text}
          change={(next) => {
            try {
              const value = JSON.parse(next) as Json;
              if (value === null || typeof value !== "object" || Array.isArray(value))
                throw new Error("It must be an object");
              setError("");
              set(value);
            } catch (failed) {
              setError(failed instanceof Error ? failed.message : String(failed));
            }
          }}
        />
      </Suspense>
      {error && (
        <p role="alert" className="text-xs text-error-ink">
          Not taken over: {error}
        </p>
      )}
    </div>
  );
}

/** `retry: 3` is short for `{attempts: 3}`. */
function retryObject(field: Field, value: Json | undefined): Json | undefined {
  return field.name === "retry" && typeof value === "number" ? { attempts: value } : value;
}

function policyField(name: string, title: string, description: string, more: Partial<Field>): Field {
  return {
    name,
    title,
    description,
    kind: "number",
    required: false,
    fallback: undefined,
    templated: false,
    choices: [],
    schema: { type: "number", minimum: 0 },
    fields: [],
    ...more,
  };
}

const POLICY_FIELDS: readonly Field[] = [
  policyField("retry", "Try again", "", {
    kind: "group",
    fields: [
      policyField("attempts", "Attempts", "With the first", {
        schema: { type: "integer", minimum: 1, maximum: 100 },
      }),
      policyField("delay", "Delay", "Milliseconds before the second attempt", {}),
      policyField("factor", "Factor", "Each delay is so many times the one before", {
        schema: { type: "number", minimum: 1, maximum: 1_000 },
      }),
    ],
  }),
  policyField("timeout", "Time-out", "Milliseconds an attempt may take", {}),
  policyField("continueOnError", "Go on when it fails", "The run does not fail with it", {
    kind: "boolean",
    fallback: false,
    schema: { type: "boolean" },
  }),
];

/** The run that is shown, else the last one of the workflow; and what of it has started and given something. */
function usePreviewRun({ api, store, source, graph }: NodePanelProps) {
  const last = useQuery({
    queryKey: ["last-run", graph.rest.id],
    queryFn: () => api.executions({ workflowId: graph.rest.id, limit: 1 }),
    enabled: store === null,
    staleTime: 10_000,
  });
  const executionId =
    source?.executionId ?? store?.executionId ?? last.data?.executions[0]?.executionId ?? "";
  const run = useQuery({
    queryKey: ["preview-run", executionId],
    queryFn: () => api.execution(executionId),
    enabled: executionId !== "",
    retry: false,
    staleTime: 5_000,
  });
  return useMemo(() => {
    const nodes = run.data?.nodes ?? [];
    return {
      executionId,
      started: new Set(nodes.filter((node) => node.startedAt).map((node) => node.nodeId)),
      given: new Set(nodes.filter((node) => node.status === "success").map((node) => node.nodeId)),
    };
  }, [executionId, run.data]);
}

const LOOKED_AT = 6;

/** Names, with the values that they had in that run as far as they are small. */
function useKnown({ api, graph, node }: NodePanelProps, run: ReturnType<typeof usePreviewRun>) {
  const { executionId } = run;
  const near = useMemo(() => upstreamOf(graph, node.id).slice(0, LOOKED_AT), [graph, node.id]);
  const reads = useMemo(
    () => [
      {
        name: "json",
        path: api.payloadPath(executionId, node.id, "input"),
        there: node.parentId === undefined && run.started.has(node.id),
      },
      ...near.map((id) => ({
        name: id,
        path: api.payloadPath(executionId, id, "output"),
        there: run.given.has(id),
      })),
    ],
    [api, executionId, node, near, run],
  );
  const payloads = useQueries({
    queries: reads.map(({ path, there }) => ({
      queryKey: ["payload", path, "names"],
      queryFn: () => api.payload(path, 128 * 1024),
      enabled: there,
      retry: false,
      staleTime: 30_000,
    })),
  });
  const secrets = useSecretNames(api);
  const credentials = useCredentials(api);
  const variables = useVariables(api);
  return useMemo(() => {
    const known = knownNames(graph, node.id);
    reads.forEach(({ name }, n) => {
      const payload = payloads[n].data;
      const before = known.get(name);
      if (payload?.whole && before) known.set(name, { ...before, value: payload.value });
    });
    const kept = (name: string, value: JsonObject) => known.set(name, { value, detail: name });
    if (secrets) kept("secrets", Object.fromEntries(secrets.map((name) => [name, ""])));
    if (credentials) kept("credentials", Object.fromEntries(credentials.map(fieldsOfKept)));
    // A workflow's own go first.
    if (variables)
      known.set("vars", { value: { ...variables, ...(graph.rest.vars as JsonObject) }, detail: "variables" });
    return known;
  }, [graph, node.id, payloads, secrets, credentials, variables, reads]);
}

function fieldsOfKept({ name, fields, secretFieldsSet = [] }: KeptCredential): [string, JsonObject] {
  return [name, { ...fields, ...Object.fromEntries(secretFieldsSet.map((field) => [field, ""])) }];
}
