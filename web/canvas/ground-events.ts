/** What hands do on the canvas beside React Flow: hovering, selecting many, keys, the clipboard, what is dropped. */

import {
  type ClipboardEvent,
  type DragEvent,
  type HTMLAttributes,
  type KeyboardEvent,
  type PointerEvent,
  useMemo,
  useRef,
  useState,
} from "react";
import type { NodeType } from "../protocol/document.ts";
import type { Ground } from "./card-events.ts";
import { type Box, CARD_HEIGHT, CARD_WIDTH } from "./geometry.ts";
import { neighbour } from "./neighbours.ts";
import { placesOf } from "./places.ts";
import { clippingOf, nudge, type Wanted } from "./placing.ts";

export const NODE_MIME = "application/x-flowscope-node";

export interface GroundDeeds {
  say(text: string): void;
  selectEdge(id: string): void;
  insert(type: NodeType, wanted: Wanted): void;
  openPalette(): void;
  connectFrom(id: string): void;
  removeSelected(): void;
  toggleDisabled(): void;
  duplicate(): void;
  nextError(): void;
  arrangeAll(): void;
  toggleOutline(): void;
  showHints(next: (shown: boolean) => boolean): void;
  openMenuOfSelected(): void;
}

export function useGroundEvents({ props, stage, wrapper, view }: Ground, does: GroundDeeds) {
  const { editor, selection, catalogue, onOpen } = props;
  const { touched, hover, step } = view;
  const [marquee, setMarquee] = useState<Box | null>(null);
  const marqueeFrom = useRef<{ x: number; y: number } | null>(null);
  const events = useMemo((): HTMLAttributes<HTMLElement> => {
    const point = (event: { clientX: number; clientY: number }) => {
      const box = wrapper.current!.getBoundingClientRect();
      return { x: event.clientX - box.left, y: event.clientY - box.top };
    };
    return {
      onPointerMove: (event: PointerEvent) => {
        const from = marqueeFrom.current;
        if (from) {
          const to = point(event);
          setMarquee({
            x: Math.min(from.x, to.x),
            y: Math.min(from.y, to.y),
            width: Math.abs(to.x - from.x),
            height: Math.abs(to.y - from.y),
          });
          return;
        }
        if (event.buttons || !stage || event.pointerType === "touch") return;
        const { x, y } = stage.toGraph(point(event).x, point(event).y);
        const places = placesOf(editor.graph, catalogue);
        const n = places.at(x, y);
        hover(n >= 0 ? editor.graph.nodes[n].id : "");
      },
      onPointerDownCapture: (event: PointerEvent) => {
        touched.current = true;
        if (
          !event.shiftKey ||
          event.button !== 0 ||
          !(event.target as Element).classList.contains("react-flow__pane")
        )
          return;
        event.stopPropagation();
        event.preventDefault();
        marqueeFrom.current = point(event);
        wrapper.current!.setPointerCapture(event.pointerId);
      },
      onPointerUp: (event: PointerEvent) => {
        const from = marqueeFrom.current;
        if (!from || !stage) return;
        marqueeFrom.current = null;
        setMarquee(null);
        const to = point(event);
        const [a, b] = [
          stage.toGraph(Math.min(from.x, to.x), Math.min(from.y, to.y)),
          stage.toGraph(Math.max(from.x, to.x), Math.max(from.y, to.y)),
        ];
        const places = placesOf(editor.graph, catalogue);
        const box = { x: a.x, y: a.y, width: b.x - a.x, height: b.y - a.y };
        const inside = places
          .within(box)
          .filter(
            (n) =>
              !places.container[n] ||
              (places.x[n] >= a.x &&
                places.y[n] >= a.y &&
                places.x[n] + places.width[n] <= b.x &&
                places.y[n] + places.height[n] <= b.y),
          );
        selection.set([...selection.ids, ...inside.map((n) => editor.graph.nodes[n].id)]);
      },
      onKeyDown: (event: KeyboardEvent) => {
        if (isTyping(event.target)) return;
        touched.current = true;
        const mod = event.ctrlKey || event.metaKey;
        const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
        const primary = selection.primary;
        const act = ((): (() => void) | undefined => {
          if (mod) {
            return {
              z: () => (event.shiftKey ? editor.redo() : editor.undo()),
              y: () => editor.redo(),
              a: () => selection.set(editor.graph.nodes.map((node) => node.id)),
              d: does.duplicate,
            }[key];
          }
          if (event.altKey && key.startsWith("Arrow")) return () => nudge(props, key);
          return {
            ArrowRight: () => step(neighbour(editor.graph, catalogue, primary, "right")),
            ArrowLeft: () => step(neighbour(editor.graph, catalogue, primary, "left")),
            ArrowUp: () => step(neighbour(editor.graph, catalogue, primary, "up")),
            ArrowDown: () => step(neighbour(editor.graph, catalogue, primary, "down")),
            Delete: does.removeSelected,
            Backspace: does.removeSelected,
            Escape: () => {
              selection.clear();
              does.selectEdge("");
              does.showHints(() => false);
            },
            Enter: () => primary && onOpen?.(primary),
            n: () => does.openPalette(),
            c: () => primary && !editor.readOnly && does.connectFrom(primary),
            d: () => !editor.readOnly && does.toggleDisabled(),
            e: does.nextError,
            f: () => view.fit(),
            t: () => !editor.readOnly && does.arrangeAll(),
            "+": view.zoomIn,
            "=": view.zoomIn,
            "-": view.zoomOut,
            o: does.toggleOutline,
            ContextMenu: () => does.openMenuOfSelected(),
            "?": () => does.showHints((shown) => !shown),
          }[key];
        })();
        if (!act) return;
        event.preventDefault();
        event.stopPropagation();
        act();
      },
      onCopy: (event: ClipboardEvent) => {
        if (isTyping(event.target) || !selection.ids.size) return;
        event.preventDefault();
        event.clipboardData.setData("text/plain", JSON.stringify(editor.copy(selection.ids), null, 2));
      },
      onCut: (event: ClipboardEvent) => {
        if (isTyping(event.target) || !selection.ids.size || editor.readOnly) return;
        event.preventDefault();
        event.clipboardData.setData("text/plain", JSON.stringify(editor.copy(selection.ids), null, 2));
        does.removeSelected();
      },
      onPaste: (event: ClipboardEvent) => {
        if (isTyping(event.target) || editor.readOnly) return;
        const clipping = clippingOf(event.clipboardData.getData("text/plain"));
        if (!clipping) return does.say("What was copied are no nodes");
        event.preventDefault();
        selection.set(editor.paste(clipping, { x: 36, y: 36 }));
      },
      onDragOver: (event: DragEvent) => {
        if (!event.dataTransfer.types.includes(NODE_MIME)) return;
        event.preventDefault();
        event.dataTransfer.dropEffect = "copy";
      },
      onDrop: (event: DragEvent) => {
        const type = catalogue.get(event.dataTransfer.getData(NODE_MIME));
        if (!type || !stage) return;
        event.preventDefault();
        const at = point(event);
        const place = stage.toGraph(at.x, at.y);
        does.insert(type, {
          title: "",
          place: { x: place.x - CARD_WIDTH / 2, y: place.y - CARD_HEIGHT / 2 },
        });
      },
    };
  }, [wrapper, stage, editor, catalogue, selection, props, view, step, hover, touched, onOpen, does]);
  return { events, marquee };
}

function isTyping(target: EventTarget): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName))
  );
}
