/** What this server is: version, limits, and how its journal does. */

import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { useScope } from "../../execution/react/scope.ts";
import { count, duration, size } from "../../theme/format.ts";
import { StatusIcon } from "../../theme/status.tsx";
import { useServices } from "../services.tsx";
import { measuresOf } from "./measures.ts";
import { Asked, Section } from "./section.tsx";

export function AboutSection() {
  const { api, config } = useServices();
  const { session } = useScope(api);
  const health = useQuery({
    queryKey: ["health"],
    queryFn: () => api.get<{ status: string }>("/health"),
    refetchInterval: Math.max(2_000, config.ui.refreshInterval),
  });
  const metrics = useQuery({
    queryKey: ["metrics"],
    queryFn: async () => measuresOf(await api.text("/metrics")),
    refetchInterval: Math.max(2_000, config.ui.refreshInterval),
  });
  const { worker, limits, websocket, ui } = config;
  return (
    <Section title="About" about={`flowscope ${config.version}, at ${api.base}`}>
      <div className="grid gap-3 md:grid-cols-2">
        <Facts title="Health">
          <Fact name="Server">
            {health.error ? (
              <Word status="error">{health.error.message}</Word>
            ) : health.data?.status === "ok" ? (
              <Word status="success">Takes work</Word>
            ) : (
              <Word status="pending">{health.data?.status ?? "…"}</Word>
            )}
          </Fact>
          <Asked query={metrics} what="how the journal does">
            {(told) => {
              const failures = told("flowscope_journal_failures_total");
              return (
                <>
                  <Fact name="Journal">
                    {failures > 0 ? (
                      <Word status="error">{count(failures, "commit")} refused by the disk</Word>
                    ) : (
                      <Word status="success">Every commit is on disk</Word>
                    )}
                  </Fact>
                  <Fact name="Commits since the start">{count(told("flowscope_journal_commits_total"))}</Fact>
                  <Fact name="A commit takes">
                    {duration(told("flowscope_journal_commit_mean_seconds") * 1_000)}, at most{" "}
                    {duration(told("flowscope_journal_commit_max_seconds") * 1_000)}
                  </Fact>
                  <Fact name="Commits that wait">{count(told("flowscope_journal_queue"))}</Fact>
                  <Fact name="Runs in memory">{count(told("flowscope_runs_live"))}</Fact>
                  <Fact name="Viewers">{count(told("flowscope_viewers"))}</Fact>
                </>
              );
            }}
          </Asked>
        </Facts>
        <Facts title="Limits">
          <Fact name="A request">{size(limits.bodyBytes)}</Fact>
          <Fact name="A workflow">{size(limits.definitionBytes)}</Fact>
          <Fact name="Nesting of JSON">{count(limits.jsonDepth, "level")}</Fact>
          <Fact name="From one address">{count(limits.requestsPerSecond, "request")} a second</Fact>
          <Fact name="Worker processes">{count(worker.concurrency)}</Fact>
          <Fact name="A worker's task">{duration(worker.timeout)}</Fact>
          <Fact name="Tries after a worker dies">{count(worker.retryAttempts)}</Fact>
        </Facts>
        <Facts title="Access">
          <Fact name="Keys">
            {config.authentication || session?.name ? "Everything needs one" : "None: open to this machine"}
          </Fact>
          <Fact name="Live stream">
            <code className="font-mono">{websocket.path}</code>
          </Fact>
          <Fact name="HTTP, described">
            <a className="text-accent underline" href={`${api.base}/openapi.json`}>
              openapi.json
            </a>
          </Fact>
        </Facts>
        <Facts title="Display">
          <Fact name="Clocks and sums move every">{duration(ui.refreshInterval)}</Fact>
          <Fact name="Motion">{ui.animationEnabled ? "On" : "Off"}</Fact>
          <Fact name="Theme">{ui.colorTheme === "dynamic" ? "As the system has it" : "Light"}</Fact>
        </Facts>
      </div>
    </Section>
  );
}

function Facts({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className="rounded-xl border border-line bg-panel p-4">
      <h3 className="mb-2 font-semibold">{title}</h3>
      <div className="space-y-1.5">{children}</div>
    </div>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="flex flex-wrap justify-between gap-x-4">
      <span className="text-muted">{name}</span>
      <span className="min-w-0 text-right break-words">{children}</span>
    </div>
  );
}

function Word({ status, children }: { status: "success" | "error" | "pending"; children: ReactNode }) {
  return (
    <span className={`rev-badge rev-ink-${status}`}>
      <StatusIcon status={status} />
      {children}
    </span>
  );
}
