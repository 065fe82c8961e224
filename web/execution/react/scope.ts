/** What whoever is here may do: the scope of the key that opened the server. The server says no in any case. */

import { useQuery } from "@tanstack/react-query";
import type { Api, Session } from "../api.ts";

export interface Rights {
  readonly session: Session | null;
  readonly mayEdit: boolean;
  readonly mayManage: boolean;
}

export function useScope(api: Api): Rights {
  const { data } = useQuery({
    queryKey: ["session"],
    queryFn: () => api.get<Session>("/api/session"),
    staleTime: Number.POSITIVE_INFINITY,
  });
  return {
    session: data ?? null,
    mayEdit: data?.scope !== "viewer",
    mayManage: data?.scope === undefined || data.scope === "admin",
  };
}
