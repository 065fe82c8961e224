/** The studio from the outside in: is there a server, does it want a key, what can be built with; then the pages. */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { useEffect, useMemo, useState } from "react";
import { type Api, ApiError, type Config } from "../execution/api.ts";
import { browserConnection, Runs } from "../execution/browser.ts";
import { applyTheme, preferredTheme } from "../theme/theme.ts";
import { takeEarly } from "./early.ts";
import { KeyGate } from "./key-gate.tsx";
import { router } from "./router.tsx";
import { ServicesProvider } from "./services.tsx";

export function Studio({ api }: { api: Api }) {
  const queries = useQueryClient();
  const [locked, setLocked] = useState(false);
  const config = useQuery({
    queryKey: ["config"],
    queryFn: () => takeEarly("config", api.config),
    staleTime: Number.POSITIVE_INFINITY,
  });
  const nodeTypes = useQuery({
    queryKey: ["nodes"],
    queryFn: () => takeEarly("nodes", api.nodeTypes),
    staleTime: Number.POSITIVE_INFINITY,
  });
  api.onUnauthorized = () => setLocked(true);
  if (locked) {
    const open = () => {
      setLocked(false);
      void queries.resetQueries();
    };
    return <KeyGate api={api} onOpen={open} />;
  }
  const error = config.error ?? nodeTypes.error;
  if (error) return <Unreachable error={error} retry={() => void queries.refetchQueries()} />;
  if (!config.data || !nodeTypes.data) return <div className="h-full bg-canvas" aria-busy="true" />;
  return <Ready api={api} config={config.data} nodeTypes={nodeTypes.data} />;
}

function Ready({
  api,
  config,
  nodeTypes,
}: {
  api: Api;
  config: Config;
  nodeTypes: Awaited<ReturnType<Api["nodeTypes"]>>;
}) {
  const services = useMemo(() => {
    const { path, heartbeatInterval } = config.websocket;
    const runs = new Runs(
      browserConnection({ url: api.base, socketPath: path, heartbeat: heartbeatInterval }),
    );
    return { api, config, runs, catalogue: new Map(nodeTypes.map((type) => [type.type, type])) };
  }, [api, config, nodeTypes]);
  useEffect(() => {
    applyTheme(preferredTheme(config.ui.colorTheme));
    if (!config.ui.animationEnabled) document.documentElement.dataset.motion = "off";
  }, [config]);
  return (
    <ServicesProvider value={services}>
      <RouterProvider router={router} />
    </ServicesProvider>
  );
}

function Unreachable({ error, retry }: { error: Error; retry: () => void }) {
  const reachable = error instanceof ApiError && error.status !== 0;
  return (
    <main className="grid h-full place-items-center p-6">
      <div className="max-w-md text-center">
        <h1 className="mb-2 text-lg font-semibold">
          {reachable ? "The server refused" : "The server cannot be reached"}
        </h1>
        <p className="mb-4 text-muted">{error.message}</p>
        <button type="button" className="rev-button" onClick={retry}>
          Try again
        </button>
      </div>
    </main>
  );
}
