/** How a status looks: icon and word, never colour alone. */

import {
  CircleCheck,
  CircleDashed,
  CircleSlash,
  CircleX,
  Clock,
  Hourglass,
  LoaderCircle,
} from "lucide-react";
import type { ComponentType, CSSProperties } from "react";
import { RUN_LABELS, RUN_LOOK, type ShownStatus, STATUSES } from "../execution/status.ts";
import type { RunStatus } from "../protocol/messages.ts";
import { nodeWords, type Standing } from "./node-words.ts";

type Icon = ComponentType<{ size?: number; className?: string; "aria-hidden"?: boolean }>;

const ICONS: Record<ShownStatus, Icon> = {
  idle: CircleDashed,
  pending: Clock,
  running: LoaderCircle,
  success: CircleCheck,
  error: CircleX,
  skipped: CircleSlash,
  waiting: Hourglass,
};

export function StatusIcon({ status, size = 14 }: { status: ShownStatus; size?: number }) {
  const Shape = ICONS[status];
  return <Shape size={size} className={`rev-icon rev-icon-${status}`} aria-hidden />;
}

/** Icon and word of a node's status. */
export function NodeBadge({ of }: { of: Standing }) {
  const status = STATUSES[of.code];
  return (
    <span className={`rev-badge rev-ink-${status}`}>
      <StatusIcon status={status} />
      {nodeWords(of)}
    </span>
  );
}

/** Icon and word of a run's status. */
export function RunBadge({ status, detail = "" }: { status: RunStatus; detail?: string }) {
  const look = RUN_LOOK[status];
  const word = detail === "paused" ? "Paused" : detail === "failing" ? "Failing" : RUN_LABELS[status];
  return (
    <span className={`rev-badge rev-ink-${look}`}>
      <StatusIcon status={look} />
      {word}
    </span>
  );
}

export function inkOf(status: ShownStatus): CSSProperties {
  return { color: `var(--rev-${status}-ink)` };
}
