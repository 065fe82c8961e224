import "./styles.css";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Api, ApiError } from "../execution/api.ts";
import { applyTheme, preferredTheme } from "../theme/theme.ts";
import { beginEarly } from "./early.ts";
import { router } from "./router.tsx";
import { Studio } from "./studio.tsx";

/** Where the server is mounted: it writes so into the page. */
const root = new URL(
  document.querySelector<HTMLMetaElement>("meta[name=flowscope-root]")?.content || "/",
  location.href,
);

applyTheme(preferredTheme("dynamic"));
router.update({ basepath: root.pathname });
const api = new Api(root.href);
beginEarly(api, location.pathname.slice(root.pathname.length));

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
