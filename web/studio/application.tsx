import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { type Api, ApiError } from "../execution/api.ts";
import { router } from "./router.tsx";
import { Studio } from "./studio.tsx";

/** `root` is where the server is mounted. */
export function open(api: Api, root: URL): void {
  router.update({ basepath: root.pathname });
  const queries = new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 5_000,
        retry: (failures, error) =>
          failures < 3 && error instanceof ApiError && (error.status === 0 || error.status === 503),
      },
    },
  });
  createRoot(document.getElementById("root")!).render(
    <StrictMode>
      <QueryClientProvider client={queries}>
        <Studio api={api} />
      </QueryClientProvider>
    </StrictMode>,
  );
}
