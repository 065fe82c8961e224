/** The canvas's keys, for whoever asks. */

import { X } from "lucide-react";

const LOOK: readonly (readonly [string, string])[] = [
  ["← →", "Along the connections"],
  ["↑ ↓", "Within the column"],
  ["Enter", "Open the node"],
  ["E", "Next error"],
  ["F", "Show all"],
  ["O", "Outline"],
  ["+ −", "Zoom"],
  ["Ctrl K", "Find anything"],
  ["Ctrl Shift Enter", "Run to the selected node"],
];

const EDIT: readonly (readonly [string, string])[] = [
  ["N", "Add a node after the selected one"],
  ["C", "Connect the selected node to…"],
  ["Del", "Delete"],
  ["D", "Disable"],
  ["T", "Tidy up"],
  ["Alt ←", "Move"],
  ["Ctrl Z", "Undo"],
  ["Ctrl C V", "Copy, paste"],
  ["Shift drag", "Select many"],
  ["Ctrl Enter", "Run"],
];

export function KeyHints({ readOnly, onClose }: { readOnly: boolean; onClose: () => void }) {
  return (
    <section className="rev-hints" aria-label="Keys">
      <button type="button" className="rev-tool" aria-label="Close" onClick={onClose}>
        <X size={15} aria-hidden />
      </button>
      <dl>
        {(readOnly ? LOOK : [...LOOK, ...EDIT]).map(([keys, what]) => (
          <div key={keys}>
            <dt>
              <kbd className="rev-key">{keys}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
