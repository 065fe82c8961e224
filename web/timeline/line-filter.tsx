/** What the lists of the dock have in their bar: words to find, which kind of line, and whether only the selected node's. */

import { createPortal } from "react-dom";

interface LineFilterProps {
  readonly toolbar: HTMLElement | null;
  /** `Find an event` */
  readonly find: string;
  readonly text: string;
  setText(text: string): void;
  /** Names the kinds: `Which events`. */
  readonly which: string;
  readonly kinds: Readonly<Record<string, string>>;
  readonly kind: string;
  setKind(kind: string): void;
  /** Whether it is only the selected node's; absent where there is no choice. */
  readonly only?: boolean;
  setOnly(only: boolean): void;
  readonly selected: boolean;
}

export function LineFilter(props: LineFilterProps) {
  const { toolbar, find, text, setText, which, kinds, kind, setKind, only, setOnly, selected } = props;
  if (!toolbar) return null;
  return createPortal(
    <>
      <input
        type="search"
        className="rev-input rev-input-small"
        placeholder={find}
        aria-label={find}
        value={text}
        onChange={(event) => setText(event.target.value)}
      />
      <select
        className="rev-input rev-input-small rev-select"
        aria-label={which}
        value={kind}
        onChange={(event) => setKind(event.target.value)}
      >
        {Object.entries(kinds).map(([key, word]) => (
          <option key={key} value={key}>
            {word}
          </option>
        ))}
      </select>
      {only !== undefined && (
        <button
          type="button"
          className="rev-button rev-button-small"
          aria-pressed={only}
          disabled={!selected && !only}
          title="Only the lines of the selected node"
          onClick={() => setOnly(!only)}
        >
          Selected node
        </button>
      )}
    </>,
    toolbar,
  );
}
