/** How many nodes have which status: a bar in proportion, whose parts put their nodes in the light. */

import { useRunVersion } from "../execution/react/hooks.ts";
import type { RunStore } from "../execution/run-store.ts";
import { LABELS, STATUSES } from "../execution/status.ts";
import { count } from "../theme/format.ts";
import { StatusIcon } from "../theme/status.tsx";

interface CountsStripProps {
  readonly store: RunStore | null;
  readonly filter: ReadonlySet<number> | null;
  readonly onFilter: (filter: ReadonlySet<number> | null) => void;
}

/** What has happened first; what has not, last. */
const ORDER = [3, 4, 5, 2, 6, 1, 0];

export function CountsStrip({ store, filter, onFilter }: CountsStripProps) {
  useRunVersion(store);
  if (!store?.run) return null;
  const toggle = (code: number) => {
    const next = new Set(filter ?? []);
    if (!next.delete(code)) next.add(code);
    onFilter(next.size ? next : null);
  };
  const shown = ORDER.filter((code) => store.counts[code] > 0);
  return (
    <div className="rev-counts" role="toolbar" aria-label="Nodes by status">
      <span className="rev-counts-bar" aria-hidden>
        {shown.map((code) => (
          <span
            key={code}
            className={`rev-counts-part rev-fill-${STATUSES[code]}`}
            style={{ flexGrow: store.counts[code] }}
          />
        ))}
      </span>
      <span className="rev-counts-list">
        {shown.map((code) => (
          <button
            key={code}
            type="button"
            className={`rev-count rev-ink-${STATUSES[code]}`}
            aria-pressed={filter?.has(code) ?? false}
            title={`Show only: ${LABELS[STATUSES[code]]}`}
            onClick={() => toggle(code)}
          >
            <StatusIcon status={STATUSES[code]} size={13} />
            <b>{count(store.counts[code])}</b>
            <span className="rev-count-word">{LABELS[STATUSES[code]]}</span>
          </button>
        ))}
      </span>
    </div>
  );
}
