/** Two panes with a bar between them that can be dragged, or moved by arrow keys; its place is remembered. */

import { type KeyboardEvent, type PointerEvent, type ReactNode, useCallback, useRef, useState } from "react";

interface SplitProps {
  /** The bar's orientation: `vertical` stands between left and right. */
  readonly orientation: "vertical" | "horizontal";
  readonly label: string;
  /** Where its place is remembered. */
  readonly name: string;
  /** Pixels of the second pane. */
  readonly initial: number;
  readonly least: number;
  readonly most: number;
  /** On a phone the second pane lies over the first, from below. */
  readonly sheet?: boolean;
  /** The second may be null: then the first has all the room, and stays what it is. */
  readonly children: readonly [ReactNode, ReactNode];
}

export function Split({
  orientation,
  label,
  name,
  initial,
  least,
  most,
  sheet = false,
  children,
}: SplitProps) {
  const key = `flowscope.split.${name}`;
  const [size, setSize] = useState(() => clamp(Number(localStorage.getItem(key)) || initial, least, most));
  const box = useRef<HTMLDivElement>(null);
  const vertical = orientation === "vertical";
  const resize = useCallback(
    (wanted: number) => {
      const room = (vertical ? box.current?.clientWidth : box.current?.clientHeight) ?? most;
      const next = clamp(wanted, least, Math.min(most, room - 160));
      setSize(next);
      localStorage.setItem(key, String(Math.round(next)));
    },
    [key, least, most, vertical],
  );
  const drag = (event: PointerEvent<HTMLDivElement>) => {
    if (!event.currentTarget.hasPointerCapture(event.pointerId) || !box.current) return;
    const place = box.current.getBoundingClientRect();
    resize(vertical ? place.right - event.clientX : place.bottom - event.clientY);
  };
  const step = (event: KeyboardEvent) => {
    const by = { ArrowLeft: 24, ArrowUp: 24, ArrowRight: -24, ArrowDown: -24 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    resize(size + by);
  };
  return (
    <div ref={box} className={`relative flex min-h-0 min-w-0 flex-1 ${vertical ? "flex-row" : "flex-col"}`}>
      <div className="relative flex min-h-0 min-w-0 flex-1 flex-col">{children[0]}</div>
      {children[1] !== null && (
        <>
          {/* biome-ignore lint/a11y/useSemanticElements: a separator that can be moved has no element of its own */}
          <div
            role="separator"
            tabIndex={0}
            aria-label={label}
            aria-orientation={orientation}
            aria-valuenow={Math.round(size)}
            aria-valuemin={least}
            aria-valuemax={most}
            onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
            onPointerMove={drag}
            onDoubleClick={() => resize(initial)}
            onKeyDown={step}
            className={`relative z-10 shrink-0 bg-line transition-colors hover:bg-accent-fill focus-visible:bg-accent-fill ${sheet ? "max-sm:hidden" : ""} ${
              vertical
                ? "w-px cursor-col-resize after:absolute after:inset-y-0 after:-left-1.5 after:w-3"
                : "h-px cursor-row-resize after:absolute after:inset-x-0 after:-top-1.5 after:h-3"
            }`}
          />
          <div
            data-sheet={sheet || undefined}
            className={`flex min-h-0 min-w-0 shrink-0 flex-col ${sheet ? SHEET : ""}`}
            style={vertical ? { width: size } : { height: size }}
          >
            {children[1]}
          </div>
        </>
      )}
    </div>
  );
}

const SHEET =
  "max-sm:absolute max-sm:inset-x-0 max-sm:bottom-0 max-sm:z-30 max-sm:h-3/5 max-sm:w-auto! max-sm:overflow-hidden " +
  "max-sm:rounded-t-2xl max-sm:border-t max-sm:border-line-strong max-sm:shadow-(--rev-shadow-lifted)";

function clamp(value: number, least: number, most: number): number {
  return Math.max(least, Math.min(most, value));
}
