/** The filters of the list of runs, between the URL and the server's query. */

import type { RunQuery } from "../../execution/api.ts";
import type { RunStatus } from "../../protocol/messages.ts";

/** As they stand in the URL: `status` may name several, by comma; `since` is `1h`, `24h`, `7d`, `30d`. */
export interface RunsSearch {
  readonly status?: string;
  readonly workflow?: string;
  readonly search?: string;
  readonly since?: string;
  /** `yes`: also the runs that others called, as sub-workflows. */
  readonly called?: string;
}

export const RUN_STATUSES: readonly RunStatus[] = [
  "running",
  "waiting",
  "pending",
  "success",
  "failed",
  "cancelled",
];

export const SPANS: Readonly<Record<string, { readonly word: string; readonly milliseconds: number }>> = {
  "1h": { word: "Last hour", milliseconds: 3_600_000 },
  "24h": { word: "Last 24 hours", milliseconds: 86_400_000 },
  "7d": { word: "Last 7 days", milliseconds: 7 * 86_400_000 },
  "30d": { word: "Last 30 days", milliseconds: 30 * 86_400_000 },
};

/** What of a URL is a filter; what makes no sense is left out. */
export function filtersOf(search: { readonly [Name in keyof RunsSearch]?: unknown }): RunsSearch {
  const text = (value: unknown) =>
    typeof value === "string" || typeof value === "number" ? String(value) : "";
  const status = statusesOf({ status: text(search.status) }).join(",");
  const since = text(search.since);
  const found = {
    status,
    workflow: text(search.workflow),
    search: text(search.search),
    since: Object.hasOwn(SPANS, since) ? since : "",
    called: search.called === "yes" ? "yes" : "",
  };
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== ""));
}

export function statusesOf(search: RunsSearch): RunStatus[] {
  const named = new Set((search.status ?? "").split(","));
  return RUN_STATUSES.filter((status) => named.has(status));
}

/** With a status more, or less. */
export function withStatus(search: RunsSearch, status: RunStatus): RunsSearch {
  const named = new Set(statusesOf(search));
  if (!named.delete(status)) named.add(status);
  return filtersOf({ ...search, status: RUN_STATUSES.filter((one) => named.has(one)).join(",") });
}

/** The time is cut to the minute, so that the query stays the same one from look to look. */
export function queryOf(search: RunsSearch, now: number): RunQuery {
  const statuses = statusesOf(search);
  const span = search.since ? SPANS[search.since] : undefined;
  return {
    called: search.called === "yes",
    ...(statuses.length ? { status: statuses } : {}),
    ...(search.workflow ? { workflowId: search.workflow } : {}),
    ...(search.search ? { search: search.search } : {}),
    ...(span
      ? { startedAfter: new Date(Math.floor((now - span.milliseconds) / 60_000) * 60_000).toISOString() }
      : {}),
  };
}
