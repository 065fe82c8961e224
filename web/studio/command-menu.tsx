/** Ctrl K: every page, workflow, node and command, by its name. */

import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Command as Menu } from "cmdk";
import { useEffect, useRef, useState } from "react";
import type { WorkflowRow } from "../execution/api.ts";
import { type Command, commandsNow } from "./commands.ts";
import { useServices } from "./services.tsx";

let show: (() => void) | null = null;

export function openCommandMenu(): void {
  show?.();
}

export function CommandMenu() {
  const dialog = useRef<HTMLDialogElement>(null);
  const [commands, setCommands] = useState<readonly Command[]>([]);
  const [open, setOpen] = useState(false);
  const builtIn = usePages(open);
  useEffect(() => {
    show = () => {
      setCommands(commandsNow());
      setOpen(true);
      if (!dialog.current?.open) dialog.current?.showModal();
    };
    const onKey = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        if (dialog.current?.open) dialog.current.close();
        else show?.();
      }
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
  const close = () => dialog.current?.close();
  const all = [...commands, ...builtIn];
  const groups = [...new Set(all.map((command) => command.group))];
  return (
    <dialog
      ref={dialog}
      aria-label="Commands"
      className="rev-dialog mt-[12vh] w-[min(620px,92vw)] p-0"
      onClose={() => setOpen(false)}
      onClick={(event) => event.target === event.currentTarget && close()}
      onKeyDown={(event) => event.stopPropagation()}
    >
      {open && (
        <Menu label="Commands" className="flex max-h-[60vh] flex-col" loop>
          <Menu.Input
            autoFocus
            placeholder="Search nodes, workflows, commands…"
            className="h-12 border-b border-line bg-transparent px-4 text-[15px] outline-none placeholder:text-faint"
          />
          <Menu.List className="min-h-0 flex-1 overflow-y-auto p-1.5">
            <Menu.Empty className="p-6 text-center text-muted">Nothing has that name</Menu.Empty>
            {groups.map((group) => (
              <Menu.Group
                key={group}
                heading={group}
                className="[&_[cmdk-group-heading]]:px-2.5 [&_[cmdk-group-heading]]:py-1.5 [&_[cmdk-group-heading]]:text-[11px] [&_[cmdk-group-heading]]:text-faint"
              >
                {all
                  .filter((command) => command.group === group)
                  .map((command) => (
                    <Menu.Item
                      key={command.id}
                      value={`${command.title} ${command.id}`}
                      keywords={command.words ? [command.words] : []}
                      className="rev-menu-item"
                      onSelect={() => {
                        close();
                        command.run();
                      }}
                    >
                      <span className="flex-1 truncate">{command.title}</span>
                      {command.keys && <kbd className="rev-key">{command.keys}</kbd>}
                    </Menu.Item>
                  ))}
              </Menu.Group>
            ))}
          </Menu.List>
        </Menu>
      )}
    </dialog>
  );
}

/** The pages, and the workflows that are known already. */
function usePages(open: boolean): Command[] {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const { api } = useServices();
  const [rows, setRows] = useState<readonly WorkflowRow[]>([]);
  useEffect(() => {
    if (!open) return;
    queries
      .fetchQuery({ queryKey: ["workflows", ""], queryFn: () => api.workflows() })
      .then(({ workflows }) => setRows(workflows))
      .catch(() => {}); // the pages are found without them
  }, [open, queries, api]);
  return [
    {
      id: "page-workflows",
      title: "Workflows",
      group: "Go to",
      run: () => void navigate({ to: "/workflows" }),
    },
    { id: "page-runs", title: "Runs", group: "Go to", run: () => void navigate({ to: "/runs" }) },
    ...rows.map((row) => ({
      id: `workflow-${row.id}`,
      title: row.name || row.id,
      group: "Workflows",
      words: row.id,
      run: () => void navigate({ to: "/workflows/$workflowId", params: { workflowId: row.id } }),
    })),
  ];
}
