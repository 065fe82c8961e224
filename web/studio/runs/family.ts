/** The runs that were taken up from one another, as a tree that is drawn a row a run. */

import type { Api, ExecutionRow } from "../../execution/api.ts";
import { count } from "../../theme/format.ts";

export interface Member extends ExecutionRow {
  readonly origin?: "retry" | "fork";
  readonly from?: string;
  readonly until?: string;
  readonly newInput?: boolean;
  /** Nodes whose settings are not those of the parent. */
  readonly changed?: readonly string[];
}

export interface FamilyTree {
  readonly executionId: string;
  readonly root: string;
  readonly members: readonly Member[];
  readonly more: boolean;
}

export function familyOf(api: Api, executionId: string): Promise<FamilyTree> {
  return api.get(`/api/executions/${encodeURIComponent(executionId)}/family`);
}

/** A row: which columns have a line through it, and where its own line comes from. */
export interface Branch {
  readonly member: Member;
  readonly column: number;
  readonly through: readonly number[];
  /** The column of the parent that it branches off; its own where it goes straight on; -1 for the root. */
  readonly parent: number;
  readonly goesOn: boolean;
}

/** Each run after the one that it comes from. An only child goes straight on, so that a long row of retries stays narrow. */
export function branchesOf(members: readonly Member[]): Branch[] {
  const known = new Set(members.map((member) => member.executionId));
  const children = new Map<string, Member[]>();
  for (const member of members) {
    const parent =
      member.parentExecutionId && known.has(member.parentExecutionId) ? member.parentExecutionId : "";
    const list = children.get(parent);
    if (list) list.push(member);
    else children.set(parent, [member]);
  }
  const branches: Branch[] = [];
  const visit = (member: Member, column: number, parent: number, through: readonly number[]) => {
    const own = [...(children.get(member.executionId) ?? [])].sort((one, other) =>
      one.startedAt.localeCompare(other.startedAt),
    );
    branches.push({ member, column, through, parent, goesOn: own.length > 0 });
    if (own.length === 1) return visit(own[0], column, column, through);
    own.forEach((child, n) => {
      visit(child, column + 1, column, n < own.length - 1 ? [...through, column] : through);
    });
  };
  for (const root of children.get("") ?? []) visit(root, 0, -1, []);
  return branches;
}

/** How it came to be: `Retry`, `From Price`, `To Price`; for the root, `First run`. */
export function originOf(member: Member, name: (nodeId: string) => string): string {
  if (!member.origin) return "First run";
  if (member.origin === "retry") return "Retry";
  if (member.from) return `From ${name(member.from)}`;
  return member.until ? `To ${name(member.until)}` : "Fork";
}

/** What it was given otherwise than the run that it comes from. */
export function differencesOf(member: Member, name: (nodeId: string) => string): string[] {
  const { newInput, changed = [], from, until } = member;
  const parts: string[] = [];
  if (newInput) parts.push("other input");
  if (changed.length)
    parts.push(
      `other settings of ${changed.length > 2 ? count(changed.length, "node") : changed.map(name).join(", ")}`,
    );
  if (until && from) parts.push(`to ${name(until)}`);
  return parts;
}
