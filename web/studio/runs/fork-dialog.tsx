/** A new run from a node on, to a node, or from where it failed: what is kept, what runs, and what must be agreed to first. */

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Check, CircleSlash, type LucideIcon, Play, RotateCcw } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import type { Json } from "../../protocol/document.ts";
import { count } from "../../theme/format.ts";
import { useServices } from "../services.tsx";

type Fate = "kept" | "partly" | "again" | "first" | "skipped";

interface Plan {
  readonly nodes: readonly {
    readonly nodeId: string;
    readonly nodeName: string;
    readonly fate: Fate;
    readonly because?: string;
  }[];
  readonly confirm: readonly { readonly nodeId: string; readonly nodeName?: string }[];
}

interface ForkDialogProps {
  readonly executionId: string;
  readonly workflowId: string;
  /** A node that runs again, and what is behind it. Neither this nor `until`: from where it failed. */
  readonly from?: string;
  /** A node beyond which nothing runs. */
  readonly until?: string;
  readonly title: string;
  close(): void;
}

export function ForkDialog({
  executionId,
  workflowId,
  from = "",
  until = "",
  title,
  close,
}: ForkDialogProps) {
  const { api } = useServices();
  const navigate = useNavigate();
  const dialog = useRef<HTMLDialogElement>(null);
  const [input, setInput] = useState<string | null>(null);
  const [last, setLast] = useState(until);
  const [newest, setNewest] = useState(false);
  const [anew, setAnew] = useState<boolean | null>(null);
  const [agreed, setAgreed] = useState(false);
  const [error, setError] = useState("");
  const whole = from === "" && until !== "";
  const given = useQuery({
    queryKey: ["fork-input", executionId, from],
    queryFn: () => (from ? api.nodePayload(executionId, from, "input") : api.runInput(executionId)),
    enabled: from !== "" || whole,
    retry: false,
    gcTime: 0,
  });
  const workflow = useQuery({
    queryKey: ["workflow-version", workflowId],
    queryFn: () => api.workflow(workflowId),
    retry: false,
  });
  const written = given.data === undefined ? "" : JSON.stringify(given.data, null, 2);
  const changed = input !== null && input !== written;
  /** Two plans of a run to a node: with what there is, and all of it again, where otherwise nothing would be left to do. */
  const planOf = (again: boolean) => {
    const fork = from !== "" || last !== "" || newest;
    const body = {
      ...(from ? { from } : {}),
      ...(last ? { until: last } : {}),
      ...(newest && workflow.data ? { version: workflow.data.version } : {}),
      ...(again || changed ? { input: given.data ?? null } : {}),
    };
    return { path: `/api/executions/${encodeURIComponent(executionId)}/${fork ? "fork" : "retry"}`, body };
  };
  const first = useQuery({
    queryKey: ["fork-plan", executionId, from, until],
    queryFn: () => {
      const { path, body } = planOf(false);
      return api.send<Plan>("POST", `${path}?dryRun=true`, body);
    },
    enabled: whole,
    retry: false,
    gcTime: 0,
  });
  const again = whole && (anew ?? (first.data !== undefined && !runsAnything(first.data)));
  const plan = useQuery({
    queryKey: ["fork-plan", executionId, from, last, newest, again, changed],
    queryFn: () => {
      const { path, body } = planOf(again);
      return api.send<Plan>("POST", `${path}?dryRun=true`, body);
    },
    enabled: !first.isLoading && !given.isLoading,
    placeholderData: keepPreviousData,
    retry: false,
    gcTime: 0,
  });
  useEffect(() => dialog.current?.showModal(), []);
  const confirm = plan.data?.confirm ?? [];
  const start = async () => {
    setError("");
    try {
      const { path, body } = planOf(again);
      const made = await api.send<{ executionId: string }>("POST", path, {
        ...body,
        ...(changed ? { input: JSON.parse(input) as Json } : {}),
        ...(agreed ? { confirm: true } : {}),
      });
      close();
      await navigate({
        to: "/runs/$executionId",
        params: { executionId: made.executionId },
        search: ({ node }: Record<string, unknown>) => (typeof node === "string" ? { node } : {}),
      });
    } catch (failed) {
      setError(
        failed instanceof SyntaxError ? `The input is no JSON: ${failed.message}` : (failed as Error).message,
      );
    }
  };
  return (
    <dialog
      ref={dialog}
      className="rev-dialog max-h-[92vh] w-[min(560px,94vw)] overflow-y-auto p-5"
      aria-label={title}
      onClose={close}
      onKeyDown={(event) => event.stopPropagation()}
    >
      <h2 className="mb-2 text-base font-semibold">{title}</h2>
      {plan.error && (
        <p role="alert" className="text-error-ink">
          {plan.error.message}
        </p>
      )}
      {plan.data && <Fates plan={plan.data} />}
      {(from !== "" || whole) && (
        <label className="mb-3 block space-y-1 text-xs font-medium">
          {from ? "Its input, as JSON" : "The run's input, as JSON"}
          <textarea
            className="rev-input font-mono text-xs"
            style={{ height: 140, resize: "vertical", padding: "6px 9px" }}
            spellCheck={false}
            value={input ?? written}
            onChange={(event) => setInput(event.target.value)}
          />
        </label>
      )}
      <div className="mb-3 flex flex-wrap gap-3">
        {from !== "" && plan.data && (
          <Choice label="Up to" value={last} choose={setLast}>
            <option value="">the end</option>
            {plan.data.nodes.map((node) => (
              <option key={node.nodeId} value={node.nodeId}>
                {node.nodeName}
              </option>
            ))}
          </Choice>
        )}
        {workflow.data && (
          <Choice label="Workflow" value={newest ? "newest" : ""} choose={(value) => setNewest(value !== "")}>
            <option value="">as it ran</option>
            <option value="newest">as it is now (version {workflow.data.version})</option>
          </Choice>
        )}
      </div>
      {whole && (
        <label className="mb-3 flex gap-2">
          <input
            type="checkbox"
            className="mt-0.5 size-4"
            checked={again || changed}
            disabled={changed}
            onChange={(event) => setAnew(event.target.checked)}
          />
          Run all of it again, and keep nothing
        </label>
      )}
      {confirm.length > 0 && (
        <label className="mb-3 flex gap-2 rounded-lg border border-skipped-ink/50 p-2.5">
          <input
            type="checkbox"
            className="mt-0.5 size-4"
            checked={agreed}
            onChange={(event) => setAgreed(event.target.checked)}
          />
          <span>
            These may act outside once more:{" "}
            <b>{confirm.map((one) => one.nodeName ?? one.nodeId).join(", ")}</b>. Let them.
          </span>
        </label>
      )}
      {error && (
        <p role="alert" className="mb-3 text-error-ink">
          {error}
        </p>
      )}
      <div className="flex justify-end gap-2">
        <button type="button" className="rev-button" onClick={() => dialog.current?.close()}>
          Leave it
        </button>
        <button
          type="button"
          className="rev-button rev-button-primary"
          disabled={!plan.data || plan.isPlaceholderData || (confirm.length > 0 && !agreed)}
          onClick={() => void start()}
        >
          Start
        </button>
      </div>
    </dialog>
  );
}

const FATES: Record<Fate, { word: string; Icon: LucideIcon }> = {
  kept: { word: "is kept", Icon: Check },
  partly: { word: "goes on", Icon: Play },
  again: { word: "runs again", Icon: RotateCcw },
  first: { word: "runs for the first time", Icon: Play },
  skipped: { word: "does not run", Icon: CircleSlash },
};

function runsAnything(plan: Plan): boolean {
  return plan.nodes.some((node) => node.fate !== "kept" && node.fate !== "skipped");
}

/** What becomes of the nodes: in a sentence, and one by one for who wants to know. */
function Fates({ plan }: { plan: Plan }) {
  const of = (...fates: Fate[]) => plan.nodes.filter((node) => fates.includes(node.fate)).length;
  const parts = [
    [of("kept", "partly"), "kept"],
    [of("again"), "run again"],
    [of("first"), "run for the first time"],
    [of("skipped"), "do not run"],
  ] as const;
  return (
    <details className="mb-3">
      <summary className="cursor-pointer text-muted">
        A new run:{" "}
        {parts
          .filter(([number]) => number > 0)
          .map(([number, words]) => `${count(number)} ${words}`)
          .join(", ")}
        .
      </summary>
      <ul className="mt-2 max-h-44 overflow-y-auto rounded-lg border border-line">
        {plan.nodes.map(({ nodeId, nodeName, fate, because }) => {
          const { word, Icon } = FATES[fate];
          return (
            <li key={nodeId} className="flex items-center gap-2 px-2.5 py-1 text-xs">
              <Icon size={12} className="flex-none text-muted" aria-hidden />
              <span className="truncate font-medium">{nodeName}</span>
              <span className="flex-none text-muted">{word}</span>
              <span className="truncate text-faint">{because}</span>
            </li>
          );
        })}
      </ul>
    </details>
  );
}

interface ChoiceProps {
  readonly label: string;
  readonly value: string;
  choose(value: string): void;
  readonly children: React.ReactNode;
}

function Choice({ label, value, choose, children }: ChoiceProps) {
  return (
    <label className="min-w-40 flex-1 space-y-1 text-xs font-medium">
      {label}
      <select className="rev-input" value={value} onChange={(event) => choose(event.target.value)}>
        {children}
      </select>
    </label>
  );
}
