/** Numbers and times for people; tabular wherever they change. */

/** `0.12 s`, `4.2 s`, `3 min 20 s`; from milliseconds. */
export function duration(milliseconds: number): string {
  if (milliseconds < 0) return "";
  if (milliseconds < 1) return "< 1 ms";
  if (milliseconds < 1_000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 10_000) return `${(milliseconds / 1_000).toFixed(2)} s`;
  if (milliseconds < 60_000) return `${(milliseconds / 1_000).toFixed(1)} s`;
  const seconds = Math.floor(milliseconds / 1_000);
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3_600)} h ${Math.floor((seconds % 3_600) / 60)} min`;
}

/** A duration that is still growing: tenths of seconds, so that it does not flicker. */
export function growing(milliseconds: number): string {
  if (milliseconds < 60_000) return `${(Math.max(0, milliseconds) / 1_000).toFixed(1)} s`;
  return duration(milliseconds);
}

const COUNT = new Intl.NumberFormat("en");

export function count(value: number, noun = ""): string {
  const text = COUNT.format(value);
  return noun ? `${text} ${value === 1 ? noun : `${noun}s`}` : text;
}

/** `12:03:20`, in the reader's time zone. */
export function clock(at: number | string): string {
  return new Date(at).toLocaleTimeString("en-GB");
}

/** `12:03:20`; with the day, `7 May, 12:03`, if that is another. */
export function instant(at: number | string, now = Date.now()): string {
  const then = new Date(at);
  if (then.toDateString() === new Date(now).toDateString()) return clock(at);
  const day = then.toLocaleDateString("en-GB", { day: "numeric", month: "short" });
  return `${day}, ${clock(at).slice(0, 5)}`;
}

/** `just now`, `5 min ago`, or the date. */
export function ago(at: number | string, now = Date.now()): string {
  const seconds = Math.max(0, (now - new Date(at).getTime()) / 1_000);
  if (seconds < 10) return "just now";
  if (seconds < 60) return `${Math.floor(seconds)} s ago`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h ago`;
  return new Date(at).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
}

/** `in 5 min`, `in 3 days`; `any moment` for what is due. */
export function ahead(at: number | string, now = Date.now()): string {
  const seconds = Math.floor((new Date(at).getTime() - now) / 1_000);
  if (seconds < 1) return "any moment";
  if (seconds < 60) return `in ${seconds} s`;
  if (seconds < 3_600) return `in ${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `in ${Math.floor(seconds / 3_600)} h`;
  return `in ${count(Math.floor(seconds / 86_400), "day")}`;
}

/** `17 May, 12:03`, in the reader's time zone. */
export function moment(at: number | string): string {
  return new Date(at).toLocaleString("en-GB", {
    day: "numeric",
    month: "short",
    hour: "2-digit",
    minute: "2-digit",
  });
}

/** `812 B`, `4.2 kB`, `12 MB`. */
export function size(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${Number((bytes / 1_000).toPrecision(3))} kB`;
  return `${Number((bytes / 1_000_000).toPrecision(3))} MB`;
}
