/** What is around every page: the rail, the command menu, the keys that work everywhere. */

import { Link, Outlet } from "@tanstack/react-router";
import { History, Inbox, Settings, Workflow } from "lucide-react";
import { count } from "../theme/format.ts";
import { CommandMenu } from "./command-menu.tsx";
import { useWaitingCount } from "./waiting/waiting-list.ts";

const PAGES = [
  { to: "/workflows", label: "Workflows", Icon: Workflow },
  { to: "/runs", label: "Runs", Icon: History },
  { to: "/waiting", label: "Waiting", Icon: Inbox },
  { to: "/settings", label: "Settings", Icon: Settings },
] as const;

export function Shell() {
  return (
    <div className="flex h-full flex-col-reverse sm:flex-row">
      <nav
        aria-label="Pages"
        className="flex shrink-0 justify-center gap-1 border-line bg-panel p-1.5 max-sm:border-t sm:w-12 sm:flex-col sm:justify-start sm:border-r"
      >
        <Link
          to="/workflows"
          aria-label="flowscope"
          className="mb-2 hidden size-9 place-items-center sm:grid"
        >
          <Mark />
        </Link>
        {PAGES.map(({ to, label, Icon }) => (
          <Link
            key={to}
            to={to}
            title={label}
            className="relative grid size-9 place-items-center rounded-lg text-muted hover:bg-hover hover:text-text [&.active]:bg-accent-soft [&.active]:text-accent"
          >
            <Icon size={18} aria-hidden />
            <span className="rev-visually-hidden">{label}</span>
            {to === "/waiting" && <WaitingBadge />}
          </Link>
        ))}
      </nav>
      <div className="flex min-h-0 min-w-0 flex-1 flex-col">
        <Outlet />
      </div>
      <CommandMenu />
    </div>
  );
}

/** How many questions there are; nothing where there are none. */
function WaitingBadge() {
  const waiting = useWaitingCount();
  if (!waiting) return null;
  return (
    <span className="absolute -top-0.5 -right-0.5 min-w-4 rounded-full bg-(--rev-accent-fill) px-1 text-center text-[10px] leading-4 font-semibold text-on-accent">
      <span aria-hidden>{waiting > 99 ? "99+" : waiting}</span>
      <span className="rev-visually-hidden">, {count(waiting, "question")}</span>
    </span>
  );
}

function Mark() {
  return (
    <svg width="26" height="26" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" fill="var(--rev-accent-fill)" />
      <path
        d="M8 10h6a4 4 0 0 1 4 4v4a4 4 0 0 0 4 4h2M14 10h10"
        fill="none"
        stroke="#fff"
        strokeWidth="2.6"
        strokeLinecap="round"
      />
      <circle cx="8" cy="10" r="2.6" fill="#fff" />
    </svg>
  );
}
