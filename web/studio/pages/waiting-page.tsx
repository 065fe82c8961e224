/** What waits for people, of all runs, in one place; answered here. */

import { useNavigate, useSearch } from "@tanstack/react-router";
import { Inbox } from "lucide-react";
import { useCallback, useEffect } from "react";
import { useNow } from "../../execution/react/hooks.ts";
import { useScope } from "../../execution/react/scope.ts";
import type { WaitingKind } from "../../inspector/answers/waiting.ts";
import { clock, count } from "../../theme/format.ts";
import { useCommands } from "../commands.ts";
import { useServices } from "../services.tsx";
import { TopBar } from "../top-bar.tsx";
import { Question } from "../waiting/question.tsx";
import { MOST, shownOf, useWaitingList } from "../waiting/waiting-list.ts";

const KINDS: readonly (readonly [WaitingKind | "", string])[] = [
  ["", "All"],
  ["approval", "Approvals"],
  ["form", "Forms"],
  ["signal", "Signals"],
  ["ask", "Lost attempts"],
];

export function WaitingPage() {
  const { api, config, runs } = useServices();
  const { kind = "" } = useSearch({ from: "/waiting" });
  const navigate = useNavigate();
  const { list, limit, more, held, hold, putAway } = useWaitingList(kind);
  const { mayEdit, session } = useScope(api);
  const now = useNow(Math.max(1_000, config.ui.refreshInterval), true, runs.connection.skew);
  const total = list.data?.total;
  useEffect(() => {
    document.title = `${total ? `(${total}) ` : ""}Waiting · flowscope`;
  }, [total]);
  const choose = useCallback(
    (chosen: string) =>
      void navigate({
        to: "/waiting",
        search: chosen ? { kind: chosen as WaitingKind } : {},
        replace: true,
      }),
    [navigate],
  );
  useCommands(
    useCallback(
      () =>
        KINDS.map(([one, word]) => ({
          id: `waiting:${one}`,
          title: one ? `Show ${word.toLowerCase()} that wait` : "Show all that waits",
          group: "Waiting",
          run: () => choose(one),
        })),
      [choose],
    ),
  );
  const shown = shownOf(list.data?.waiting ?? [], held).filter((one) => !kind || one.waiting.kind === kind);
  return (
    <>
      <TopBar>
        <h1 className="font-semibold">Waiting</h1>
        <span className="text-muted" role="status">
          {total !== undefined && count(total, "question")}
        </span>
      </TopBar>
      <main className="min-h-0 flex-1 overflow-auto" data-stale={list.isError}>
        <div className="mx-auto max-w-3xl p-4 sm:p-6">
          <fieldset className="mb-4 flex flex-wrap gap-1.5">
            <legend className="rev-visually-hidden">Which are shown</legend>
            {KINDS.map(([one, word]) => (
              <button
                key={one}
                type="button"
                className="rev-button rev-button-small"
                aria-pressed={one === kind}
                onClick={() => choose(one)}
              >
                {word}
              </button>
            ))}
          </fieldset>
          {list.error && (
            <p role="alert" className="mb-4 rounded-lg border border-line bg-panel p-3 text-skipped-ink">
              {list.error.message} {list.data ? `This is from ${clock(list.dataUpdatedAt)}. ` : ""}Looking
              again by itself.
            </p>
          )}
          {list.data && !mayEdit && (
            <p className="mb-4 rounded-lg border border-line bg-panel p-3 text-muted">
              The key {session?.name} is of scope viewer: you see what waits. To answer takes a key of scope
              editor.
            </p>
          )}
          {!list.data && !list.error && (
            <p aria-busy="true" className="rounded-xl border border-line bg-panel p-6 text-muted">
              Asking what waits…
            </p>
          )}
          <ul className="space-y-3" aria-label="What waits">
            {shown.map((one) => (
              <Question
                key={one.key}
                shown={one}
                now={now}
                mayAnswer={mayEdit}
                begin={() => hold(one.waiting, null)}
                end={(outcome) => hold(one.waiting, outcome)}
                putAway={() => putAway(one.key)}
              />
            ))}
          </ul>
          {list.data && shown.length === 0 && <Empty kind={kind} />}
          {total !== undefined && total > limit && limit < MOST && (
            <button type="button" className="rev-button mt-4" onClick={more}>
              Show more: {count(total - limit)} are not shown
            </button>
          )}
        </div>
      </main>
    </>
  );
}

function Empty({ kind }: { kind: string }) {
  return (
    <section className="rounded-2xl border border-line bg-panel p-8">
      <Inbox size={22} className="mb-3 text-muted" aria-hidden />
      <h2 className="mb-2 text-lg font-semibold">
        {kind ? "Nothing of that kind waits" : "Nothing waits for you"}
      </h2>
      <p className="max-w-prose text-muted">
        When a run needs a person, it waits here, with as much time as its workflow gives it:
      </p>
      <ul className="mt-3 max-w-prose list-disc space-y-1 pl-5 text-muted marker:text-faint">
        <li>an Approval node, to say yes or no;</li>
        <li>a Form node, to fill it in;</li>
        <li>a Wait node, for a signal that you or a program sends;</li>
        <li>a node whose attempt was lost with the server, and that is set to ask what becomes of it.</li>
      </ul>
    </section>
  );
}
