/** Which workflows name what is kept. */

import { Link } from "@tanstack/react-router";
import { count } from "../../theme/format.ts";

export interface User {
  readonly workflowId: string;
  readonly workflowName: string;
}

const SHOWN = 3;

export function Users({ users }: { users: readonly User[] }) {
  if (!users.length) return <>no workflow names it</>;
  return (
    <>
      used by{" "}
      {users.slice(0, SHOWN).map(({ workflowId, workflowName }, n) => (
        <span key={workflowId}>
          {n > 0 && ", "}
          <Link to="/workflows/$workflowId" params={{ workflowId }} className="text-text underline">
            {workflowName || workflowId}
          </Link>
        </span>
      ))}
      {users.length > SHOWN && ` and ${count(users.length - SHOWN)} more`}
    </>
  );
}

/** Said before it is deleted. */
export function usersWarning(users: readonly User[]): string {
  if (!users.length) return "No workflow names it.";
  const names = users.slice(0, SHOWN).map((user) => user.workflowName || user.workflowId);
  const more = users.length > SHOWN ? ` and ${count(users.length - SHOWN)} more` : "";
  return `It is used by ${names.join(", ")}${more}: what reads it there fails from then on.`;
}
