/** The list of the command menu: at most a screenful of what matches best, however much there is. */

import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Command as Menu } from "cmdk";
import { useMemo, useState } from "react";
import { type Command, commandsNow } from "./commands.ts";
import { useServices } from "./services.tsx";
import { SECTIONS } from "./settings/sections.ts";

const MOST = 60;

export function CommandList({ close }: { close: () => void }) {
  const [search, setSearch] = useState("");
  const [offered] = useState(commandsNow);
  const pages = usePages();
  const found = useMemo(() => best([...offered, ...pages], search), [offered, pages, search]);
  const groups = [...new Set(found.map((command) => command.group))];
  return (
    <Menu label="Commands" className="flex max-h-[60vh] flex-col" loop shouldFilter={false}>
      <Menu.Input
        autoFocus
        value={search}
        onValueChange={setSearch}
        placeholder="Search nodes, workflows, commands…"
        className="h-12 shrink-0 border-b border-line bg-transparent px-4 text-[15px] outline-none placeholder:text-faint"
      />
      <Menu.List className="min-h-0 flex-1 overflow-y-auto p-1.5">
        <Menu.Empty className="p-6 text-center text-muted">Nothing has that name</Menu.Empty>
        {groups.map((group) => (
          <Menu.Group
            key={group}
            heading={group}
            className="[&_[cmdk-group-heading]]:px-2.5 [&_[cmdk-group-heading]]:py-1.5 [&_[cmdk-group-heading]]:text-[11px] [&_[cmdk-group-heading]]:text-muted"
          >
            {found
              .filter((command) => command.group === group)
              .map((command) => (
                <Menu.Item
                  key={command.id}
                  value={command.id}
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
  );
}

/** The pages, and the workflows changed last. */
function usePages(): readonly Command[] {
  const navigate = useNavigate();
  const { api } = useServices();
  const { data } = useQuery({ queryKey: ["workflows", ""], queryFn: () => api.workflows() });
  return useMemo(
    () => [
      {
        id: "page:workflows",
        title: "Workflows",
        group: "Go to",
        run: () => void navigate({ to: "/workflows" }),
      },
      { id: "page:runs", title: "Runs", group: "Go to", run: () => void navigate({ to: "/runs" }) },
      {
        id: "page:waiting",
        title: "Waiting",
        group: "Go to",
        words: "inbox approvals forms questions",
        run: () => void navigate({ to: "/waiting" }),
      },
      ...SECTIONS.map(({ id, title, words }) => ({
        id: `page:settings:${id}`,
        title: `Settings: ${title}`,
        group: "Go to",
        words,
        run: () => void navigate({ to: "/settings/$section", params: { section: id } }),
      })),
      ...(data?.workflows ?? []).map((row) => ({
        id: `workflow:${row.id}`,
        title: row.name || row.id,
        group: "Workflows",
        words: row.id,
        run: () => void navigate({ to: "/workflows/$workflowId", params: { workflowId: row.id } }),
      })),
    ],
    [navigate, data],
  );
}

/** The best matches, their groups in the order of the best of each. */
function best(commands: readonly Command[], search: string): readonly Command[] {
  const wanted = search.trim().toLowerCase();
  if (!wanted) return commands.filter((command) => command.group !== "Nodes").slice(0, MOST);
  return commands
    .map((command) => ({ command, score: score(command, wanted) }))
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score)
    .slice(0, MOST)
    .map(({ command }) => command);
}

/** Beginnings before middles, titles before other words, and letters in order at last. */
function score(command: Command, wanted: string): number {
  const title = command.title.toLowerCase();
  if (title.startsWith(wanted)) return 5;
  if (title.includes(` ${wanted}`)) return 4;
  if (title.includes(wanted)) return 3;
  if (command.words?.toLowerCase().includes(wanted)) return 2;
  let at = -1;
  for (const letter of wanted) {
    at = title.indexOf(letter, at + 1);
    if (at < 0) return 0;
  }
  return 1;
}
