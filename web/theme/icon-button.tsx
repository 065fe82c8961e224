/** A small button that is only a picture; what it does is its name. */

import type { LucideIcon } from "lucide-react";

export function IconButton({ label, act, Icon }: { label: string; act: () => void; Icon: LucideIcon }) {
  return (
    <button
      type="button"
      className="rev-button rev-button-small rev-button-icon"
      aria-label={label}
      title={label}
      onClick={act}
    >
      <Icon size={13} aria-hidden />
    </button>
  );
}
