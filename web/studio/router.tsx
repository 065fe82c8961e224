/** The addresses. The server answers each of them with the studio (see `flowscope.server.studio`: SECTIONS). */

import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  redirect,
} from "@tanstack/react-router";
import type { WaitingKind } from "../inspector/answers/waiting.ts";
import { Broken } from "./broken.tsx";
import { filtersOf } from "./runs/filters.ts";
import { Shell } from "./shell.tsx";

const root = createRootRoute({
  component: Shell,
  notFoundComponent: lazyRouteComponent(() => import("./pages/nowhere.tsx"), "Nowhere"),
});

const index = createRoute({
  getParentRoute: () => root,
  path: "/",
  beforeLoad: () => {
    throw redirect({ to: "/workflows", replace: true });
  },
});

const workflows = createRoute({
  getParentRoute: () => root,
  path: "/workflows",
  component: lazyRouteComponent(() => import("./pages/workflows-page.tsx"), "WorkflowsPage"),
});

/** `run`: the run shown on the graph. `node`: what is selected. */
export interface WorkbenchSearch {
  run?: string;
  node?: string;
  /** Milliseconds since the run's start: it is replayed, and stands there. */
  t?: number;
  /** A run is to be started, with an input that is asked for. */
  ask?: boolean;
}

const text = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? value : undefined;

function workbenchSearch(search: Record<string, unknown>): WorkbenchSearch {
  const run = text(search.run);
  const node = text(search.node);
  const t = Number(search.t);
  const replayed = search.t !== undefined && Number.isFinite(t);
  return {
    ...(run ? { run } : {}),
    ...(node ? { node } : {}),
    ...(replayed ? { t } : {}),
    ...(search.ask === true ? { ask: true } : {}),
  };
}

const workflow = createRoute({
  getParentRoute: () => root,
  path: "/workflows/$workflowId",
  validateSearch: workbenchSearch,
  component: lazyRouteComponent(() => import("./pages/workflow-page.tsx"), "WorkflowPage"),
});

const runs = createRoute({
  getParentRoute: () => root,
  path: "/runs",
  validateSearch: filtersOf,
  component: lazyRouteComponent(() => import("./pages/runs-page.tsx"), "RunsPage"),
});

/** What waits for people; `kind`: only that. */
const waiting = createRoute({
  getParentRoute: () => root,
  path: "/waiting",
  validateSearch: ({ kind }: Record<string, unknown>): { kind?: WaitingKind } =>
    kind === "approval" || kind === "form" || kind === "signal" || kind === "ask" ? { kind } : {},
  component: lazyRouteComponent(() => import("./pages/waiting-page.tsx"), "WaitingPage"),
});

const settings = createRoute({
  getParentRoute: () => root,
  path: "/settings",
  beforeLoad: () => {
    throw redirect({ to: "/settings/$section", params: { section: "secrets" }, replace: true });
  },
});

/** `add`: a credential of that type is to be made. */
const settingsSection = createRoute({
  getParentRoute: () => root,
  path: "/settings/$section",
  validateSearch: (search: Record<string, unknown>): { add?: string } => {
    const add = text(search.add);
    return add ? { add } : {};
  },
  component: lazyRouteComponent(() => import("./pages/settings-page.tsx"), "SettingsPage"),
});

/** Two runs on one graph. */
const compare = createRoute({
  getParentRoute: () => root,
  path: "/runs/compare",
  validateSearch: (search: Record<string, unknown>): { a: string; b: string } => ({
    a: text(search.a) ?? "",
    b: text(search.b) ?? "",
  }),
  component: lazyRouteComponent(() => import("./pages/compare-page.tsx"), "ComparePage"),
});

/** A run on the graph that it ran, whatever has become of the workflow since. */
const run = createRoute({
  getParentRoute: () => root,
  path: "/runs/$executionId",
  validateSearch: workbenchSearch,
  component: lazyRouteComponent(() => import("./pages/run-page.tsx"), "RunPage"),
});

export const router = createRouter({
  routeTree: root.addChildren([
    index,
    workflows,
    workflow,
    runs,
    compare,
    run,
    waiting,
    settings,
    settingsSection,
  ]),
  defaultPreload: "intent",
  defaultErrorComponent: Broken,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
