/** What can be done to a run, and how it stands. */

import { Ban, Braces, Pause, Play } from "lucide-react";
import { useCallback, useEffect, useState } from "react";
import type { Light } from "../../execution/connection.ts";
import { useNow, useRunFacts } from "../../execution/react/hooks.ts";
import type { RunStore } from "../../execution/run-store.ts";
import { hasEnded } from "../../execution/status.ts";
import type { Problem } from "../../protocol/document.ts";
import { duration, growing } from "../../theme/format.ts";
import { RunBadge } from "../../theme/status.tsx";
import { useCommands } from "../commands.ts";
import { LiveLight } from "../live-light.tsx";
import { useServices } from "../services.tsx";

interface RunActionsProps {
  readonly store: RunStore | null;
  /** Absent where there is nothing to start. */
  readonly start?: () => Promise<void>;
  /** Start one with an input that is asked for. */
  readonly ask?: () => void;
  readonly problems: readonly Problem[];
}

export function RunActions({ store, start, ask, problems }: RunActionsProps) {
  const { api } = useServices();
  const run = useRunFacts(store);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  const active = store !== null && run !== null && !hasEnded(run.status);
  const paused = run?.detail === "paused";
  const act = useCallback(async (work: () => Promise<unknown>) => {
    setBusy(true);
    setError("");
    try {
      await work();
    } catch (failed) {
      setError(failed instanceof Error ? failed.message : String(failed));
    }
    setBusy(false);
  }, []);
  const command = useCallback(
    (what: "cancel" | "pause" | "resume") => store && act(() => api.command(store.executionId, what)),
    [act, api, store],
  );
  useCommands(
    useCallback(() => {
      const offered = [];
      if (start)
        offered.push({
          id: "run",
          title: "Run this workflow",
          group: "Run",
          keys: "Ctrl Enter",
          run: () => void act(start),
        });
      if (ask)
        offered.push({
          id: "run-with",
          title: "Run with an input…",
          group: "Run",
          words: "payload data trigger",
          keys: "Ctrl Alt Enter",
          run: ask,
        });
      if (active) {
        offered.push({
          id: "cancel",
          title: "Cancel the run",
          group: "Run",
          run: () => void command("cancel"),
        });
        const what = paused ? "resume" : "pause";
        offered.push({
          id: what,
          title: paused ? "Resume the run" : "Pause the run",
          group: "Run",
          run: () => void command(what),
        });
      }
      return offered;
    }, [start, ask, active, paused, act, command]),
  );
  useEffect(() => {
    if (!start) return;
    const onKey = (event: KeyboardEvent) => {
      if (!(event.ctrlKey || event.metaKey) || event.key !== "Enter" || event.shiftKey) return;
      event.preventDefault();
      if (event.altKey && ask) ask();
      else void act(start);
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [start, ask, act]);
  if (!active && !start && !error) return null;
  return (
    <div className="flex items-center gap-2">
      {error && (
        <span role="alert" className="max-w-72 truncate text-error-ink" title={error}>
          {error}
        </span>
      )}
      {active && (
        <>
          <button
            type="button"
            className="rev-button rev-button-icon"
            disabled={busy}
            aria-label={paused ? "Resume the run" : "Pause the run"}
            title={paused ? "Resume" : "Pause: what runs finishes, nothing new starts"}
            onClick={() => void command(paused ? "resume" : "pause")}
          >
            {paused ? <Play size={15} aria-hidden /> : <Pause size={15} aria-hidden />}
          </button>
          <button
            type="button"
            className="rev-button rev-button-icon rev-button-danger"
            disabled={busy}
            aria-label="Cancel the run"
            title="Cancel"
            onClick={() => void command("cancel")}
          >
            <Ban size={15} aria-hidden />
          </button>
        </>
      )}
      {start && (
        <button
          type="button"
          className={`rev-button rev-button-primary ${active ? "max-sm:w-8 max-sm:px-0" : ""}`}
          aria-label="Run"
          disabled={busy || problems.length > 0}
          title={problems.length > 0 ? `Mend first: ${problems[0].message}` : "Run (Ctrl Enter)"}
          onClick={() => void act(start)}
        >
          <Play size={14} aria-hidden /> <span className={active ? "max-sm:hidden" : ""}>Run</span>
        </button>
      )}
      {ask && (
        <button
          type="button"
          className="rev-button rev-button-icon max-sm:hidden"
          disabled={busy || problems.length > 0}
          aria-label="Run with an input"
          title="Run with an input (Ctrl Alt Enter)"
          onClick={ask}
        >
          <Braces size={15} aria-hidden />
        </button>
      )}
    </div>
  );
}

/** Status, time and light of the run that is shown. */
export function RunStatusLine({ store, light }: { store: RunStore; light: Light }) {
  const { runs } = useServices();
  const run = useRunFacts(store);
  const ticking =
    run !== null && !hasEnded(run.status) && (light.state === "live" || light.state === "catching-up");
  const now = useNow(100, ticking, runs.connection.skew);
  return (
    <div className="flex min-w-0 items-center gap-3 border-l border-line pl-3" data-stale={!ticking}>
      {run && (
        <>
          <RunBadge status={run.status} detail={run.detail ?? ""} />
          <span className="whitespace-nowrap text-muted max-sm:hidden">
            {run.duration === undefined ? growing(now - run.startTime) : duration(run.duration)}
          </span>
        </>
      )}
      <LiveLight light={light} store={store} />
    </div>
  );
}
