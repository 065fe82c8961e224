/** The list of runs: pages as they are asked for, and the newest looked at again and again. */

import { keepPreviousData, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import type { ExecutionRow, RunQuery } from "../../execution/api.ts";
import { useServices } from "../services.tsx";

const PAGE = 100;

export interface RunList {
  readonly rows: readonly ExecutionRow[];
  readonly state: "loading" | "failed" | "ready";
  /** Why the last look failed; what is shown is from before. */
  readonly error: string;
  /** When the newest page was read last, epoch milliseconds. */
  readonly readAt: number;
  readonly more: boolean;
  readonly readingMore: boolean;
  readMore(): void;
  again(): void;
}

export function useRunList(query: RunQuery): RunList {
  const { api, config } = useServices();
  const pages = useInfiniteQuery({
    queryKey: ["runs", query],
    queryFn: ({ pageParam }) => api.executions({ ...query, cursor: pageParam, limit: PAGE }),
    initialPageParam: "",
    getNextPageParam: (last) => last.nextCursor,
    staleTime: Number.POSITIVE_INFINITY,
    placeholderData: keepPreviousData,
    refetchOnWindowFocus: false,
  });
  const head = useQuery({
    queryKey: ["runs-head", query],
    queryFn: () => api.executions({ ...query, limit: PAGE }),
    refetchInterval: Math.max(config.ui.refreshInterval, 500),
    enabled: pages.isSuccess,
    retry: false,
  });
  const rows = useMemo(
    () => merged(head.data?.executions, pages.data?.pages.flatMap((page) => page.executions) ?? []),
    [head.data, pages.data],
  );
  return {
    rows,
    state: pages.isPending ? "loading" : pages.isError && !rows.length ? "failed" : "ready",
    error: (head.error ?? pages.error)?.message ?? "",
    readAt: Math.max(head.dataUpdatedAt, pages.dataUpdatedAt),
    more: pages.hasNextPage,
    readingMore: pages.isFetchingNextPage,
    readMore: () => void pages.fetchNextPage(),
    again: () => void pages.refetch(),
  };
}

/** Newest first, each once; what was read later counts. */
export function merged(
  head: readonly ExecutionRow[] | undefined,
  pages: readonly ExecutionRow[],
  page = PAGE,
): ExecutionRow[] {
  const oldest = head?.at(-1);
  if (!head) return [...pages];
  // Less than a page is all there is. Otherwise one that is not among the newest any more has left the filter.
  if (!oldest || head.length < page) return [...head];
  return [...head, ...pages.filter((row) => before(row, oldest))];
}

function before(row: ExecutionRow, oldest: ExecutionRow): boolean {
  return row.startedAt === oldest.startedAt
    ? row.executionId < oldest.executionId
    : row.startedAt < oldest.startedAt;
}
