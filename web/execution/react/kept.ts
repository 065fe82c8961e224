/** What is kept beside the workflows, for whoever may read of it: only who manages the server hears of secrets and credentials. */

import { useQuery } from "@tanstack/react-query";
import type { JsonObject } from "../../protocol/document.ts";
import type { Api } from "../api.ts";
import { useScope } from "./scope.ts";

export interface KeptCredential {
  readonly name: string;
  readonly type: string;
  readonly fields?: JsonObject;
  readonly secretFieldsSet?: readonly string[];
}

/** Undefined until they are known, and where they may not be. */
export function useCredentials(api: Api): readonly KeptCredential[] | undefined {
  const { session, mayManage } = useScope(api);
  return useQuery({
    queryKey: ["credentials", "kept"],
    queryFn: async () => (await api.get<{ credentials: KeptCredential[] }>("/api/credentials")).credentials,
    enabled: session !== null && mayManage,
    retry: false,
  }).data;
}

export function useSecretNames(api: Api): readonly string[] | undefined {
  const { session, mayManage } = useScope(api);
  return useQuery({
    queryKey: ["secrets", "names"],
    queryFn: async () =>
      (await api.get<{ secrets: { name: string }[] }>("/api/secrets")).secrets.map(({ name }) => name),
    enabled: session !== null && mayManage,
    retry: false,
  }).data;
}

export function useVariables(api: Api): JsonObject | undefined {
  return useQuery({
    queryKey: ["variables"],
    queryFn: async () => (await api.get<{ variables: JsonObject }>("/api/variables")).variables,
    retry: false,
  }).data;
}
