/** How many of a run's nodes have which status, as one strip; live while the run is. */

import { useQuery } from "@tanstack/react-query";
import type { ExecutionRow } from "../../execution/api.ts";
import { useRun, useRunVersion } from "../../execution/react/hooks.ts";
import { hasEnded, LABELS, type ShownStatus, STATUSES } from "../../execution/status.ts";
import { count } from "../../theme/format.ts";
import { useServices } from "../services.tsx";

const ORDER: readonly ShownStatus[] = [
  "success",
  "error",
  "skipped",
  "running",
  "waiting",
  "pending",
  "idle",
];

export function StatusStrip({ row }: { row: ExecutionRow }) {
  return hasEnded(row.status) ? <Ended row={row} /> : <Live row={row} />;
}

function Live({ row }: { row: ExecutionRow }) {
  const { runs } = useServices();
  const store = useRun(runs, row.executionId);
  useRunVersion(store);
  if (!store?.ids.length) return <Strip counts={{}} />;
  return <Strip counts={Object.fromEntries(STATUSES.map((status, code) => [status, store.counts[code]]))} />;
}

function Ended({ row }: { row: ExecutionRow }) {
  const { api } = useServices();
  const found = useQuery({
    queryKey: ["counts", row.executionId, row.seq],
    queryFn: () => api.counts(row.executionId),
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  });
  return <Strip counts={found.data?.counts ?? {}} />;
}

function Strip({ counts }: { counts: Partial<Record<ShownStatus, number>> }) {
  const all = ORDER.reduce((sum, status) => sum + (counts[status] ?? 0), 0);
  const said = ORDER.filter((status) => counts[status])
    .map((status) => `${count(counts[status]!)} ${LABELS[status].toLowerCase()}`)
    .join(", ");
  const done = (counts.success ?? 0) + (counts.error ?? 0) + (counts.skipped ?? 0);
  return (
    <span className="flex items-center gap-2" title={said}>
      <span
        role="img"
        aria-label={said || "Not known yet"}
        className="flex h-1.5 flex-1 overflow-hidden rounded-full bg-line"
      >
        {all > 0 &&
          ORDER.map((status) =>
            counts[status] && status !== "idle" ? (
              <i
                key={status}
                className={`rev-strip rev-strip-${status} h-full`}
                style={{ flex: `${counts[status]} 0 2px` }}
              />
            ) : null,
          )}
        {all > 0 && (counts.idle ?? 0) > 0 && <i style={{ flex: `${counts.idle} 0 0` }} />}
      </span>
      <span className="w-20 flex-none text-right text-xs text-muted max-lg:hidden">
        {all > 0 && (done === all ? count(all, "node") : `${count(done)} of ${count(all)}`)}
      </span>
    </span>
  );
}
