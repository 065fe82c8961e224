/** What starts runs by itself, of all workflows: where, when next, how it went last, and whether it does at all. */

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { CalendarClock, ClipboardList, FolderSearch, Repeat, Webhook, Workflow } from "lucide-react";
import type { ComponentType } from "react";
import { useNow } from "../../execution/react/hooks.ts";
import { useScope } from "../../execution/react/scope.ts";
import type { RunStatus } from "../../protocol/messages.ts";
import { ago, ahead, count, duration, moment } from "../../theme/format.ts";
import { RunBadge } from "../../theme/status.tsx";
import { useServices } from "../services.tsx";
import { CopyButton } from "./copy-button.tsx";
import { Asked, Empty, Section } from "./section.tsx";

interface TriggerRow {
  readonly workflowId: string;
  readonly workflowName: string;
  readonly nodeId: string;
  readonly label: string;
  readonly type: string;
  readonly active: boolean;
  readonly fired: number;
  readonly method?: string;
  readonly url?: string;
  readonly cron?: string;
  readonly timezone?: string;
  readonly interval?: number;
  readonly nextDue?: string;
  readonly lastFired?: string;
  readonly lastExecutionId?: string;
  readonly lastStatus?: RunStatus;
  readonly lastError?: string;
  readonly queued?: number;
  readonly leftOut?: number;
}

type Icon = ComponentType<{ size?: number; className?: string; "aria-hidden"?: boolean }>;

const KINDS: Readonly<Record<string, readonly [string, Icon]>> = {
  schedule: ["Schedule", CalendarClock],
  interval: ["Interval", Repeat],
  webhook: ["Webhook", Webhook],
  form_trigger: ["Form", ClipboardList],
  workflow_trigger: ["End of another run", Workflow],
  file_watch: ["Files in a folder", FolderSearch],
};

export function TriggersSection() {
  const { api, config } = useServices();
  const triggers = useQuery({
    queryKey: ["triggers"],
    queryFn: async () => (await api.get<{ triggers: TriggerRow[] }>("/api/triggers?all=true")).triggers,
    refetchInterval: Math.max(2_000, config.ui.refreshInterval),
  });
  return (
    <Section
      title="Triggers"
      about="What starts runs by itself: webhooks, schedules, forms. They work while their workflow is active; each firing starts its run exactly once, over restarts too."
    >
      <Asked query={triggers} what="triggers">
        {(rows) =>
          rows.length === 0 ? (
            <Empty title="No workflow has a trigger">
              Give one a Webhook, a Schedule or a Form trigger, and it is listed here with its address and its
              next firing.
            </Empty>
          ) : (
            <ul aria-label="Workflows with triggers" className="space-y-3">
              {byWorkflow(rows).map((own) => (
                <WorkflowTriggers key={own[0].workflowId} rows={own} />
              ))}
            </ul>
          )
        }
      </Asked>
    </Section>
  );
}

function byWorkflow(rows: readonly TriggerRow[]): TriggerRow[][] {
  const found = new Map<string, TriggerRow[]>();
  for (const row of rows) found.set(row.workflowId, [...(found.get(row.workflowId) ?? []), row]);
  const nameOf = (own: TriggerRow[]) => own[0].workflowName || own[0].workflowId;
  return [...found.values()].sort((a, b) => nameOf(a).localeCompare(nameOf(b)));
}

function WorkflowTriggers({ rows }: { rows: readonly TriggerRow[] }) {
  const { api, config, runs } = useServices();
  const { mayEdit } = useScope(api);
  const queries = useQueryClient();
  const now = useNow(Math.max(1_000, config.ui.refreshInterval), true, runs.connection.skew);
  const { workflowId, workflowName, active } = rows[0];
  const name = workflowName || workflowId;
  const change = useMutation({
    mutationFn: () =>
      api.send(
        "POST",
        `/api/workflows/${encodeURIComponent(workflowId)}/${active ? "deactivate" : "activate"}`,
      ),
    onSettled: () => queries.invalidateQueries({ queryKey: ["triggers"] }),
  });
  return (
    <li className="overflow-hidden rounded-xl border border-line bg-panel">
      <div className="flex items-center gap-3 border-b border-line px-4 py-2.5">
        <h3 className="min-w-0 flex-1 truncate font-semibold">
          <Link to="/workflows/$workflowId" params={{ workflowId }} className="hover:underline">
            {name}
          </Link>
        </h3>
        <span className="text-xs text-muted">{active ? "Active" : "Not active"}</span>
        <button
          type="button"
          role="switch"
          aria-checked={active}
          aria-label={`${name} is active`}
          className="rev-switch"
          disabled={!mayEdit || change.isPending}
          title={
            mayEdit
              ? active
                ? "Have them start nothing more"
                : "Have them start runs from now on"
              : "That takes a key of scope editor"
          }
          onClick={() => change.mutate()}
        />
      </div>
      {change.error && (
        <p role="alert" className="px-4 pt-3 text-xs text-error-ink">
          {change.error.message}
        </p>
      )}
      <ul aria-label={`Triggers of ${name}`}>
        {rows.map((row) => (
          <Trigger key={row.nodeId} row={row} now={now} />
        ))}
      </ul>
    </li>
  );
}

function Trigger({ row, now }: { row: TriggerRow; now: number }) {
  const { api } = useServices();
  const [kind, Shape] = KINDS[row.type] ?? [row.type || "Cannot be taken up", Workflow];
  const address = row.url && api.base + row.url;
  return (
    <li className="flex items-start gap-3 border-line px-4 py-3 not-first:border-t">
      <Shape size={16} className="mt-0.5 flex-none text-muted" aria-hidden />
      <div className="min-w-0 flex-1 space-y-1">
        <p>
          {row.nodeId ? (
            <Link
              to="/workflows/$workflowId"
              params={{ workflowId: row.workflowId }}
              search={{ node: row.nodeId }}
              className="font-medium hover:underline"
            >
              {row.label || row.nodeId}
            </Link>
          ) : (
            <span className="font-medium">{row.label}</span>
          )}{" "}
          <span className="text-muted">
            {kind}
            {row.cron && (
              <>
                {" "}
                <code className="font-mono">{row.cron}</code> {row.timezone}
              </>
            )}
            {row.interval && ` of ${duration(row.interval)}`}
          </span>
        </p>
        {address && (
          <p className="flex items-center gap-2">
            <code className="min-w-0 rounded bg-sunken px-1.5 py-0.5 font-mono text-xs break-all">
              {row.method && `${row.method} `}
              {address}
            </code>
            <CopyButton text={address} what={`the address of ${row.label || row.nodeId}`} />
          </p>
        )}
        <p className="flex flex-wrap items-center gap-x-4 gap-y-1 text-xs text-muted">
          {row.active && row.nextDue && (
            <span>
              Next <span className="text-text">{moment(row.nextDue)}</span>, {ahead(row.nextDue, now)}
            </span>
          )}
          {row.lastFired ? (
            <span>
              Last <span className="text-text">{ago(row.lastFired, now)}</span>
            </span>
          ) : (
            row.active && <span>Has not fired yet</span>
          )}
          {row.lastExecutionId && (
            <Link
              to="/runs/$executionId"
              params={{ executionId: row.lastExecutionId }}
              className="inline-flex items-center gap-1 hover:underline"
            >
              {row.lastStatus ? <RunBadge status={row.lastStatus} /> : "Its run"}
            </Link>
          )}
          {row.fired > 0 && <span>{count(row.fired, "firing")}</span>}
          {row.queued ? <span>{count(row.queued)} still to start</span> : null}
          {row.leftOut ? <span>{count(row.leftOut)} left out</span> : null}
        </p>
        {row.lastError && <p className="text-xs text-error-ink">{row.lastError}</p>}
      </div>
    </li>
  );
}
