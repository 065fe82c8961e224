/** The list of runs. */

import { useQuery } from "@tanstack/react-query";
import { Link, useSearch } from "@tanstack/react-router";
import type { RunStatus } from "../../protocol/messages.ts";
import { ago, duration } from "../../theme/format.ts";
import { RunBadge } from "../../theme/status.tsx";
import { useServices } from "../services.tsx";
import { TopBar } from "../top-bar.tsx";

export function RunsPage() {
  const { api, config } = useServices();
  const filter = useSearch({ from: "/runs" });
  const query = {
    ...(filter.status ? { status: filter.status.split(",") as RunStatus[] } : {}),
    workflowId: filter.workflow ?? "",
    search: filter.search ?? "",
  };
  const runs = useQuery({
    queryKey: ["executions", query],
    queryFn: () => api.executions(query),
    refetchInterval: config.ui.refreshInterval,
  });
  return (
    <>
      <TopBar>
        <h1 className="font-semibold">Runs</h1>
      </TopBar>
      <main className="min-h-0 flex-1 overflow-auto p-4">
        <table className="w-full text-left">
          <thead className="text-faint">
            <tr>
              <th className="p-2 font-medium">Status</th>
              <th className="p-2 font-medium">Workflow</th>
              <th className="p-2 font-medium">Run</th>
              <th className="p-2 font-medium">Started</th>
              <th className="p-2 font-medium">Duration</th>
            </tr>
          </thead>
          <tbody>
            {runs.data?.executions.map((run) => (
              <tr key={run.executionId} className="border-t border-line hover:bg-hover">
                <td className="p-2">
                  <RunBadge status={run.status} detail={run.detail ?? ""} />
                </td>
                <td className="p-2">{run.workflowName || run.workflowId}</td>
                <td className="p-2 font-mono text-muted">
                  <Link
                    to="/runs/$executionId"
                    params={{ executionId: run.executionId }}
                    className="hover:underline"
                  >
                    {run.executionId}
                  </Link>
                </td>
                <td className="p-2 text-muted">{ago(run.startedAt)}</td>
                <td className="p-2 text-muted">
                  {run.durationMs === undefined ? "" : duration(run.durationMs)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
        {runs.data?.executions.length === 0 && (
          <p className="p-8 text-center text-muted">No runs yet. Open a workflow and press Run.</p>
        )}
      </main>
    </>
  );
}
