/** The canvas's own tools, in its lower left corner. */

import {
  Keyboard,
  ListTree,
  Maximize,
  Minus,
  Plus,
  PlusSquare,
  Redo2,
  Undo2,
  WandSparkles,
} from "lucide-react";
import { type ReactNode, useSyncExternalStore } from "react";
import type { Editor } from "./editor.ts";
import type { Surface } from "./surface.ts";

export function Toolbar({ surface, editor }: { surface: Surface; editor: Editor }) {
  const undo = useSyncExternalStore(editor.subscribe, () => editor.undoLabel);
  const redo = useSyncExternalStore(editor.subscribe, () => editor.redoLabel);
  return (
    <div className="rev-tools" role="toolbar" aria-label="Canvas">
      {!editor.readOnly && (
        <>
          <Tool label="Add a node (N)" onClick={surface.openPalette}>
            <PlusSquare size={16} aria-hidden />
          </Tool>
          <Tool
            label={undo ? `Undo: ${undo} (Ctrl Z)` : "Undo"}
            onClick={() => editor.undo()}
            disabled={!undo}
          >
            <Undo2 size={16} aria-hidden />
          </Tool>
          <Tool
            label={redo ? `Redo: ${redo} (Ctrl Shift Z)` : "Redo"}
            onClick={() => editor.redo()}
            disabled={!redo}
          >
            <Redo2 size={16} aria-hidden />
          </Tool>
          <Tool label="Tidy up (T)" onClick={surface.tidy}>
            <WandSparkles size={16} aria-hidden />
          </Tool>
          <span className="rev-tools-gap" />
        </>
      )}
      <Tool label="Zoom out (-)" onClick={surface.view.zoomOut}>
        <Minus size={16} aria-hidden />
      </Tool>
      <Tool label="Zoom in (+)" onClick={surface.view.zoomIn}>
        <Plus size={16} aria-hidden />
      </Tool>
      <Tool label="Show all (F)" onClick={() => surface.view.fit()}>
        <Maximize size={15} aria-hidden />
      </Tool>
      <Tool label="Outline (O)" onClick={surface.toggleOutline}>
        <ListTree size={16} aria-hidden />
      </Tool>
      <Tool label="Keys (?)" onClick={() => surface.setHints(!surface.hints)}>
        <Keyboard size={16} aria-hidden />
      </Tool>
    </div>
  );
}

function Tool({
  label,
  onClick,
  disabled = false,
  children,
}: {
  label: string;
  onClick: () => void;
  disabled?: boolean;
  children: ReactNode;
}) {
  return (
    <button
      type="button"
      className="rev-tool"
      aria-label={label}
      title={label}
      onClick={onClick}
      disabled={disabled}
    >
      {children}
    </button>
  );
}
