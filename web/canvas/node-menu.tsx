/** What can be done with a node, where it was asked for. */

import { type KeyboardEvent, useEffect, useRef } from "react";

export interface MenuEntry {
  readonly label: string;
  readonly keys?: string;
  readonly run: () => void;
}

interface NodeMenuProps {
  readonly x: number;
  readonly y: number;
  readonly title: string;
  readonly entries: readonly MenuEntry[];
  readonly onClose: () => void;
}

export function NodeMenu({ x, y, title, entries, onClose }: NodeMenuProps) {
  const menu = useRef<HTMLDivElement>(null);
  useEffect(() => {
    menu.current?.querySelector("button")?.focus();
    const outside = (event: PointerEvent) => !menu.current?.contains(event.target as Node) && onClose();
    addEventListener("pointerdown", outside, true);
    return () => removeEventListener("pointerdown", outside, true);
  }, [onClose]);
  const onKey = (event: KeyboardEvent) => {
    event.stopPropagation();
    if (event.key === "Escape" || event.key === "Tab") return onClose();
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const buttons = [...(menu.current?.querySelectorAll("button") ?? [])];
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
    buttons[(at + by + buttons.length) % buttons.length]?.focus();
  };
  return (
    <div
      ref={menu}
      role="menu"
      aria-label={title}
      tabIndex={-1}
      className="rev-menu rev-node-menu"
      style={{ left: x, top: y }}
      onKeyDown={onKey}
    >
      {entries.map((entry) => (
        <button
          key={entry.label}
          type="button"
          role="menuitem"
          className="rev-menu-item"
          onClick={() => {
            onClose();
            entry.run();
          }}
        >
          <span className="rev-menu-label">{entry.label}</span>
          {entry.keys && <kbd className="rev-key">{entry.keys}</kbd>}
        </button>
      ))}
    </div>
  );
}
