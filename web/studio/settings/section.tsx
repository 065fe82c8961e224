/** What the sections are made of: a heading with what can be done, and a list in each of its states. */

import { LockKeyhole } from "lucide-react";
import type { ReactNode } from "react";
import { ApiError } from "../../execution/api.ts";

interface SectionProps {
  readonly title: string;
  readonly about: ReactNode;
  readonly action?: ReactNode;
  readonly children: ReactNode;
}

export function Section({ title, about, action, children }: SectionProps) {
  return (
    <section aria-labelledby="section-title">
      <div className="mb-4 flex flex-wrap items-start gap-x-4 gap-y-2">
        <div className="min-w-0 flex-1 basis-72">
          <h2 id="section-title" className="mb-1 text-lg font-semibold">
            {title}
          </h2>
          <p className="max-w-prose text-muted">{about}</p>
        </div>
        {action}
      </div>
      {children}
    </section>
  );
}

interface AskedProps<Data> {
  readonly query: { data: Data | undefined; error: Error | null; refetch: () => unknown };
  /** What is refused to whose key does not reach so far. */
  readonly what: string;
  children(data: Data): ReactNode;
}

/** What was asked of the server: still to come, refused, failed, or there. */
export function Asked<Data>({ query, what, children }: AskedProps<Data>) {
  const { data, error } = query;
  if (error instanceof ApiError && error.status === 403) {
    return (
      <div className="flex items-start gap-3 rounded-xl border border-line bg-panel p-5">
        <LockKeyhole size={18} className="mt-0.5 flex-none text-muted" aria-hidden />
        <div>
          <h3 className="mb-1 font-semibold">Your key does not let you see {what}</h3>
          <p className="text-muted">{error.message}.</p>
        </div>
      </div>
    );
  }
  return (
    <>
      {error && (
        <p role="alert" className="mb-3 flex flex-wrap items-center gap-3 text-error-ink">
          {error.message}
          <button type="button" className="rev-button rev-button-small" onClick={() => void query.refetch()}>
            Try again
          </button>
        </p>
      )}
      {data !== undefined ? (
        children(data)
      ) : error ? null : (
        <p aria-busy="true" className="rounded-xl border border-line bg-panel p-6 text-muted">
          Asking for {what}…
        </p>
      )}
    </>
  );
}

export function Rows({ label, children }: { label: string; children: ReactNode }) {
  return (
    <ul aria-label={label} className="overflow-hidden rounded-xl border border-line bg-panel">
      {children}
    </ul>
  );
}

/** A line: what it is, what is said of it, what can be done with it. */
export function Row({
  name,
  children,
  actions,
}: {
  name: ReactNode;
  children?: ReactNode;
  actions?: ReactNode;
}) {
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-2 border-line px-4 py-3 not-first:border-t">
      <div className="min-w-0 flex-1 basis-52">
        <div className="font-medium break-words">{name}</div>
        {children && <div className="text-xs break-words text-muted">{children}</div>}
      </div>
      {actions && <div className="flex flex-wrap gap-1.5">{actions}</div>}
    </li>
  );
}

export function Empty({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className="rounded-xl border border-line bg-panel p-6">
      <h3 className="mb-1 font-semibold">{title}</h3>
      <p className="max-w-prose text-muted">{children}</p>
    </div>
  );
}
