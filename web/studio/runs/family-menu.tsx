/** The family of a run: what it was taken up from and what was taken up from it, drawn as a tree; a click goes to a run. */

import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { GitCompareArrows, GitFork } from "lucide-react";
import { Popover } from "radix-ui";
import { type KeyboardEvent, useCallback } from "react";
import { type Graph, nodeOf, titleOf } from "../../canvas/graph.ts";
import { useNow } from "../../execution/react/hooks.ts";
import { hasEnded, RUN_LOOK } from "../../execution/status.ts";
import { ago, count, duration, growing } from "../../theme/format.ts";
import { RunBadge, StatusIcon } from "../../theme/status.tsx";
import { useCommands } from "../commands.ts";
import { useServices } from "../services.tsx";
import { type Branch, branchesOf, differencesOf, type FamilyTree, familyOf, originOf } from "./family.ts";

interface FamilyMenuProps {
  readonly executionId: string;
  readonly graph: Graph;
  /** It stays open from run to run. */
  readonly open: boolean;
  setOpen(open: boolean): void;
}

/** Nothing is there as long as the run has no relatives. */
export function FamilyMenu({ executionId, graph, open, setOpen }: FamilyMenuProps) {
  const { api, config, runs } = useServices();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const pace = Math.max(500, config.ui.refreshInterval);
  const family = useQuery({
    queryKey: ["family", executionId],
    queryFn: () => familyOf(api, executionId),
    placeholderData: () =>
      queries
        .getQueriesData<FamilyTree>({ queryKey: ["family"] })
        .map(([, known]) => known)
        .findLast((known) => known?.members.some((member) => member.executionId === executionId)),
    refetchInterval: ({ state: { data } }) => {
      const going = data?.members.some((member) => !hasEnded(member.status)) ?? false;
      return going || open ? pace : 10 * pace;
    },
    retry: false,
  });
  const members = family.data?.members ?? [];
  const own = members.find((member) => member.executionId === executionId);
  const parent = members.find((member) => member.executionId === own?.parentExecutionId)?.executionId;
  const related = members.length > 1 && own !== undefined;
  const going = open && members.some((member) => !hasEnded(member.status));
  const now = useNow(going ? 100 : 60_000, open && !family.isError, runs.connection.skew);
  const name = (id: string) => {
    const node = nodeOf(graph, id);
    return node ? titleOf(node) : id;
  };
  useCommands(
    useCallback(
      () => [
        ...(related
          ? [
              {
                id: "family",
                title: `The ${members.length} runs of this family`,
                group: "This run",
                words: "tree forks retries parent children",
                run: () => setOpen(true),
              },
            ]
          : []),
        ...(parent
          ? [
              {
                id: "compare-parent",
                title: "Compare with the run it comes from",
                group: "This run",
                run: () => void navigate({ to: "/runs/compare", search: { a: parent, b: executionId } }),
              },
            ]
          : []),
      ],
      [related, members.length, parent, executionId, navigate, setOpen],
    ),
  );
  if (!related) return null;
  const branches = branchesOf(members);
  const columns = 1 + Math.max(...branches.map((branch) => branch.column));
  return (
    <Popover.Root open={open} onOpenChange={setOpen}>
      <Popover.Trigger asChild>
        <button
          type="button"
          className="rev-button max-sm:w-[30px] max-sm:px-0"
          aria-label={`${count(members.length, "run")} in this family`}
          title="What this run was taken up from, and what was taken up from it"
        >
          <GitFork size={14} aria-hidden />
          <span className="max-sm:hidden">
            {members.length}
            <span className="max-lg:hidden"> runs</span>
          </span>
        </button>
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Content
          align="end"
          sideOffset={6}
          collisionPadding={8}
          className="rev-menu w-[min(520px,calc(100vw-16px))]"
          aria-label="Family of this run"
          data-stale={family.isError}
          onOpenAutoFocus={(event) => {
            const current = (event.currentTarget as HTMLElement).querySelector<HTMLElement>("[aria-current]");
            if (!current) return;
            event.preventDefault();
            current.focus();
          }}
        >
          <ol className="max-h-[min(60vh,480px)] overflow-y-auto" onKeyDown={onKey}>
            {branches.map((branch) => (
              <Row
                key={branch.member.executionId}
                branch={branch}
                columns={columns}
                current={branch.member.executionId === executionId}
                name={name}
                now={now}
                leave={() => setOpen(false)}
              />
            ))}
          </ol>
          {family.data?.more && (
            <p className="px-2 py-1 text-xs text-muted">There are more: the list of runs has them all.</p>
          )}
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

interface RowProps {
  readonly branch: Branch;
  readonly columns: number;
  readonly current: boolean;
  readonly now: number;
  name(nodeId: string): string;
  leave(): void;
}

function Row({ branch, columns, current, now, name, leave }: RowProps) {
  const { member } = branch;
  const details = [...differencesOf(member, name), ago(member.startedAt, now)];
  const took =
    member.durationMs === undefined
      ? growing(now - new Date(member.startedAt).getTime())
      : duration(member.durationMs);
  return (
    <li className="flex items-stretch">
      <Link
        to="/runs/$executionId"
        params={{ executionId: member.executionId }}
        search={(last: Record<string, unknown>) => (typeof last.node === "string" ? { node: last.node } : {})}
        aria-current={current ? "page" : undefined}
        className="flex min-w-0 flex-1 items-center gap-2 rounded-lg pr-2 pl-1 outline-offset-[-2px] hover:bg-hover aria-[current]:bg-accent-soft"
      >
        <Rails branch={branch} columns={columns} />
        <span className="min-w-0 flex-1">
          <span className="flex items-baseline gap-2">
            <span className="truncate font-medium">{originOf(member, name)}</span>
            {current && <span className="flex-none text-xs text-accent">this run</span>}
          </span>
          <span className="block truncate text-xs text-muted">{details.join(" · ")}</span>
        </span>
        <span className="flex flex-none flex-col items-end gap-0.5 text-xs">
          <RunBadge status={member.status} detail={member.detail ?? ""} />
          <span className="text-muted tabular-nums">{took}</span>
        </span>
      </Link>
      {member.origin && member.parentExecutionId ? (
        <Link
          to="/runs/compare"
          search={{ a: member.parentExecutionId, b: member.executionId }}
          aria-label={`Compare ${originOf(member, name)} with the run it comes from`}
          title="Compare with the run it comes from"
          className="rev-button rev-button-quiet rev-button-icon my-auto ml-1"
          onClick={leave}
        >
          <GitCompareArrows size={14} aria-hidden />
        </Link>
      ) : (
        <span className="ml-1 w-[30px] flex-none" />
      )}
    </li>
  );
}

const STEP = 18;
const HEIGHT = 48;
const MIDDLE = HEIGHT / 2;

/** The lines of the tree, and the run's status where they meet. */
function Rails({ branch, columns }: { branch: Branch; columns: number }) {
  const { column, parent, through, goesOn } = branch;
  const at = (n: number) => n * STEP + STEP / 2;
  const lines = through.map((n) => `M${at(n)} 0V${HEIGHT}`);
  if (parent === column) lines.push(`M${at(column)} 0V${MIDDLE - 9}`);
  else if (parent >= 0)
    lines.push(
      `M${at(parent)} 0V${MIDDLE - 7}Q${at(parent)} ${MIDDLE} ${at(parent) + 7} ${MIDDLE}H${at(column) - 9}`,
    );
  if (goesOn) lines.push(`M${at(column)} ${MIDDLE + 9}V${HEIGHT}`);
  return (
    <span className="relative flex-none" style={{ width: columns * STEP, height: HEIGHT }}>
      <svg width={columns * STEP} height={HEIGHT} aria-hidden="true">
        <path d={lines.join("")} fill="none" stroke="var(--rev-line-strong)" strokeWidth="1.5" />
      </svg>
      <span className="absolute" style={{ left: at(column) - 7, top: MIDDLE - 7 }}>
        <StatusIcon status={RUN_LOOK[branch.member.status]} size={14} />
      </span>
    </span>
  );
}

/** Up and down go from run to run. */
function onKey(event: KeyboardEvent<HTMLElement>): void {
  const links = [...event.currentTarget.querySelectorAll<HTMLElement>("li > a:first-child")];
  const own = links.findIndex((link) => link.closest("li")!.contains(document.activeElement));
  const to = { ArrowDown: own + 1, ArrowUp: own - 1, Home: 0, End: links.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  links[Math.max(0, Math.min(links.length - 1, to))]?.focus();
}
