/** A replay of a run: kept by the server, watched like a run, and commanded from here. */

import { useCallback, useEffect, useRef, useState } from "react";
import { type Api, ApiError } from "../../execution/api.ts";
import { useServices } from "../services.tsx";

export interface ReplayState {
  readonly replayId: string;
  readonly executionId: string;
  readonly seq: number;
  readonly lastSeq: number;
  /** The instant it shows, epoch milliseconds. */
  readonly at: number;
  readonly startTime: number;
  readonly endTime: number;
  readonly speed: number;
  readonly playing: boolean;
}

export interface Histogram {
  readonly startTime: number;
  readonly endTime: number;
  readonly lastSeq: number;
  readonly buckets: readonly {
    readonly start: number;
    readonly seq: number;
    readonly events: number;
    readonly errors: number;
  }[];
  readonly errors: readonly { readonly seq: number; readonly nodeId?: string }[];
}

export type ReplayCommand = Partial<Pick<ReplayState, "playing" | "speed" | "seq" | "at">>;

export const SPEEDS = [0.5, 1, 2, 4, 8, 16, 32] as const;

/** How often the server is asked where it is, while it plays. */
const LOOK_EVERY = 200;

export interface Replay {
  readonly state: ReplayState;
  readonly histogram: Histogram | null;
  command(command: ReplayCommand): void;
}

/** The replay that stands at `from` (milliseconds since the start) at first; null for none, or until it is there. */
export function useReplay(
  executionId: string,
  from: number | undefined,
): { replay: Replay | null; error: string } {
  const { api } = useServices();
  const [state, setState] = useState<ReplayState | null>(null);
  const [histogram, setHistogram] = useState<Histogram | null>(null);
  const [error, setError] = useState("");
  const wanted = from !== undefined;
  const first = useRef(from);
  first.current = from;
  useEffect(() => {
    if (!wanted) return;
    let gone = false;
    let made = "";
    begin(api, executionId, first.current ?? 0).then(
      (replay) => {
        made = replay.state.replayId;
        if (gone) return close(api, made);
        setHistogram(replay.histogram);
        setState(replay.state);
      },
      (failed: Error) => !gone && setError(failed.message),
    );
    return () => {
      gone = true;
      setState(null);
      if (made) close(api, made);
    };
  }, [api, executionId, wanted]);
  const id = state?.replayId;
  /** How many commands there were: what was overtaken by one is not heard. */
  const last = useRef(0);
  const playing = state?.playing ?? false;
  useEffect(() => {
    if (!id || !playing) return;
    const timer = setInterval(() => {
      const before = last.current;
      api.get<ReplayState>(`/api/replays/${encodeURIComponent(id)}`).then(
        (answer) => before === last.current && setState(answer),
        () => {},
      );
    }, LOOK_EVERY);
    return () => clearInterval(timer);
  }, [api, id, playing]);
  const command = useCallback(
    (said: ReplayCommand) => {
      if (!id) return;
      last.current += 1;
      const own = last.current;
      // The next step is made from where this one leads, also if it comes before the answer.
      setState((known) => known && { ...known, ...said });
      api
        .send<ReplayState>("POST", `/api/replays/${encodeURIComponent(id)}`, said)
        .then((answer) => own === last.current && setState(answer))
        .catch((failed) => setError(failed instanceof ApiError ? failed.message : String(failed)));
    },
    [api, id],
  );
  return { replay: wanted && state ? { state, histogram, command } : null, error };
}

async function begin(api: Api, executionId: string, from: number) {
  const path = `/api/executions/${encodeURIComponent(executionId)}`;
  const histogram = await api.get<Histogram>(`${path}/histogram?buckets=240`);
  const made = await api.send<ReplayState>("POST", `${path}/replays`, { seq: 1, playing: false });
  const state = from
    ? await api.send<ReplayState>("POST", `/api/replays/${encodeURIComponent(made.replayId)}`, {
        at: histogram.startTime + from,
      })
    : made;
  return { state, histogram };
}

function close(api: Api, replayId: string): void {
  api.send("DELETE", `/api/replays/${encodeURIComponent(replayId)}`).catch(() => {});
}

/** The next thing that went wrong after this event; from the beginning again after the last. */
export function nextError(histogram: Histogram, seq: number): { seq: number; nodeId?: string } | undefined {
  return histogram.errors.find((flaw) => flaw.seq > seq) ?? histogram.errors[0];
}

/** One speed up or down. */
export function otherSpeed(speed: number, by: 1 | -1): number {
  const at = SPEEDS.findIndex((one) => one >= speed);
  return SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, (at < 0 ? SPEEDS.length - 1 : at) + by))];
}
