/** What happens on the canvas: hovering, dragging, connecting, selecting, keys. The hook that `Canvas` is drawn from. */

import type { Connection, FinalConnectionState, ReactFlowProps } from "@xyflow/react";
import {
  type ClipboardEvent,
  type DragEvent,
  type HTMLAttributes,
  type KeyboardEvent,
  type PointerEvent,
  type RefObject,
  useCallback,
  useEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
} from "react";
import { ERROR, SUCCESS } from "../execution/status.ts";
import type { NodeType } from "../protocol/document.ts";
import type { CanvasProps } from "./canvas.tsx";
import type { CardNode } from "./cards.tsx";
import { edgesOf } from "./edges.ts";
import { BODY_HEADER, type Box, CARD_HEIGHT, CARD_WIDTH } from "./geometry.ts";
import { indexOf, nodeOf, titleOf, withBodies } from "./graph.ts";
import { tidy } from "./layout.ts";
import { neighbour } from "./neighbours.ts";
import type { MenuEntry } from "./node-menu.tsx";
import { placesOf } from "./places.ts";
import { clippingOf, dropNodes, endsOf, freeHandle, nudge, placedNode, type Wanted } from "./placing.ts";
import { portsOf } from "./ports.ts";
import type { Stage } from "./stage.ts";
import { useView } from "./view.ts";

/** What can be done with the canvas from outside. */
export interface CanvasHandle {
  /** Bring a node into view and select it. */
  show(nodeId: string): void;
  fit(): void;
  /** Move the view so that what is selected is seen, if it is not. */
  keepInView(): void;
  tidy(): void;
  /** The next failed node, in the order of the definition. */
  nextError(): void;
  openPalette(): void;
  toggleOutline(): void;
}

interface Drag {
  readonly ids: ReadonlySet<string>;
  readonly x: number;
  readonly y: number;
}

export type Surface = ReturnType<typeof useSurface>;

export const NODE_MIME = "application/x-flowscope-node";

export function useSurface(props: CanvasProps, stage: Stage | null, wrapper: RefObject<HTMLElement | null>) {
  const { editor, store, selection, catalogue, onReady, onOpen } = props;
  const graph = useSyncExternalStore(editor.subscribe, () => editor.graph);
  const view = useView(props, stage, graph, wrapper);
  const { touched, settle, hover, fit, show, step, keepInView } = view;
  const [drag, setDrag] = useState<Drag | null>(null);
  const [filter, setFilter] = useState<ReadonlySet<number> | null>(null);
  const [selectedEdge, setSelectedEdge] = useState("");
  const [palette, setPalette] = useState<Wanted | null>(null);
  const [marquee, setMarquee] = useState<Box | null>(null);
  const [notice, setNotice] = useState("");
  const [hints, setHints] = useState(false);
  const [connecting, setConnecting] = useState("");
  const [menu, setMenu] = useState<{ id: string; x: number; y: number } | null>(null);
  const [outline, setOutline] = useState(false);
  const toggleOutline = useCallback(() => setOutline((shown) => !shown), []);
  const marqueeFrom = useRef<{ x: number; y: number } | null>(null);
  const dragFrom = useRef<{ x: number; y: number; ids: Set<string> } | null>(null);

  const say = useCallback((text: string) => setNotice(text), []);
  useEffect(() => {
    if (!notice) return;
    const timer = setTimeout(() => setNotice(""), 4_000);
    return () => clearTimeout(timer);
  }, [notice]);

  // --- adding ---

  const insert = useCallback(
    (type: NodeType, wanted: Wanted) => {
      const node = placedNode(type, wanted, props, stage);
      const edges = [];
      if (wanted.after && type.role !== "trigger" && type.role !== "error_trigger") {
        const handle = wanted.handle ?? "output";
        edges.push({
          id: `${wanted.after}${handle === "output" ? "" : `:${handle}`}->${node.id}`,
          source: wanted.after,
          target: node.id,
          ...(handle === "output" ? {} : { sourceHandle: handle }),
        });
      }
      editor.add([node], edges, `add ${type.title}`);
      step(node.id);
    },
    [editor, props, stage, step],
  );
  const openPalette = useCallback(
    (wanted?: Wanted) => {
      if (editor.readOnly) return;
      const after = selection.primary;
      const node = after ? nodeOf(editor.graph, after) : undefined;
      const ports = node ? portsOf(node, editor.graph, catalogue).outputs : [];
      setPalette(
        wanted ?? (node ? { title: titleOf(node), after, handle: ports[0] ?? "output" } : { title: "" }),
      );
    },
    [editor, selection, catalogue],
  );
  const addAfter = useCallback(
    (nodeId: string, handle: string) => {
      const node = nodeOf(editor.graph, nodeId);
      if (node) openPalette({ title: titleOf(node), after: nodeId, handle });
    },
    [editor, openPalette],
  );
  const closePalette = useCallback(() => {
    setPalette(null);
    wrapper.current?.focus({ preventScroll: true });
  }, [wrapper]);
  const addFromPalette = useCallback(
    (type: NodeType) => {
      insert(type, palette ?? { title: "" });
      closePalette();
    },
    [insert, palette, closePalette],
  );

  // --- doing ---

  const arrangeAll = useCallback(() => {
    editor.change(
      tidy(editor.graph, (type) => catalogue.get(type)?.role === "container"),
      "tidy up",
    );
    requestAnimationFrame(() => fit());
  }, [editor, catalogue, fit]);
  const removeSelected = useCallback(() => {
    if (editor.readOnly) return;
    editor.remove(selection.ids, selectedEdge ? [selectedEdge] : []);
    setSelectedEdge("");
    selection.clear();
  }, [editor, selection, selectedEdge]);
  const nextError = useCallback(() => {
    if (!store) return;
    const failed = store.ids.filter(
      (_, n) => store.codes[n] === ERROR && indexOf(editor.graph).number.has(store.ids[n]),
    );
    if (!failed.length) return say("Nothing has failed");
    // The innermost comes last in the definition; a container fails because of it.
    const at = failed.indexOf(selection.primary);
    show(failed[(at + 1) % failed.length]);
  }, [store, editor, selection, show, say]);
  const toggleDisabled = useCallback(() => {
    for (const id of selection.ids) {
      const node = nodeOf(editor.graph, id);
      if (node) editor.setConfig(id, "disabled", node.data.config?.disabled === true ? undefined : true);
    }
  }, [editor, selection]);

  const openMenu = useCallback(
    (id: string, clientX: number, clientY: number) => {
      const box = wrapper.current?.getBoundingClientRect();
      if (!box) return;
      const [x, y] = [
        Math.min(clientX - box.left, box.width - 260),
        Math.min(clientY - box.top, box.height - 300),
      ];
      setMenu({ id, x: Math.max(8, x), y: Math.max(8, y) });
    },
    [wrapper],
  );
  const openMenuOfSelected = useCallback(() => {
    const card = wrapper.current
      ?.querySelector(`[data-node="${CSS.escape(selection.primary)}"]`)
      ?.getBoundingClientRect();
    if (card) openMenu(selection.primary, card.left + 40, card.top + 40);
  }, [wrapper, selection, openMenu]);

  useEffect(() => {
    onReady?.({
      show,
      fit,
      keepInView,
      tidy: arrangeAll,
      nextError,
      openPalette: () => openPalette(),
      toggleOutline,
    });
    return () => onReady?.(null);
  }, [onReady, show, fit, keepInView, arrangeAll, nextError, openPalette, toggleOutline]);

  // --- React Flow's events ---

  const flowProps = useMemo((): Partial<ReactFlowProps<CardNode>> => {
    const select = (event: { shiftKey: boolean; ctrlKey: boolean; metaKey: boolean }, id: string) => {
      setSelectedEdge("");
      if (event.shiftKey || event.ctrlKey || event.metaKey) selection.toggle(id);
      else selection.select(id);
    };
    return {
      onMove: (event, view) => {
        if (event) touched.current = true;
        stage?.setView(view);
      },
      onMoveEnd: (_, view) => {
        stage?.setView(view);
        settle();
      },
      onNodeClick: (event, node) => select(event, node.id),
      onNodeDoubleClick: (_, node) => {
        if (stage?.far) show(node.id);
        else onOpen?.(node.id);
      },
      onNodeContextMenu: (event, node) => {
        event.preventDefault();
        if (!selection.ids.has(node.id)) selection.select(node.id);
        openMenu(node.id, event.clientX, event.clientY);
      },
      onPaneClick: (event) => {
        if (!stage || !wrapper.current) return;
        const box = wrapper.current.getBoundingClientRect();
        const point = stage.toGraph(event.clientX - box.left, event.clientY - box.top);
        const places = placesOf(editor.graph, catalogue);
        const n = places.at(point.x, point.y);
        // A container's body is ground; its head and cards are in React Flow unless there is too much of it.
        if (n >= 0 && (!places.container[n] || point.y < places.y[n] + BODY_HEADER)) {
          return select(event, editor.graph.nodes[n].id);
        }
        const edges = edgesOf(editor.graph, catalogue);
        const e = edges.at(point.x, point.y, 9 / stage.view.zoom, places);
        setSelectedEdge(e < 0 ? "" : edges.ids[e]);
        selection.clear();
      },
      onNodeDragStart: (_, node) => {
        const chosen = selection.ids.has(node.id) ? selection.ids : new Set([node.id]);
        dragFrom.current = { x: node.position.x, y: node.position.y, ids: withBodies(editor.graph, chosen) };
      },
      onNodeDrag: (_, node) => {
        const from = dragFrom.current;
        if (!from || !stage) return;
        const [x, y] = [node.position.x - from.x, node.position.y - from.y];
        const { number } = indexOf(editor.graph);
        setDrag({ ids: from.ids, x, y });
        stage.setShift(new Set([...from.ids].map((id) => number.get(id) ?? -1)), x, y);
      },
      onNodeDragStop: (_, node) => {
        const from = dragFrom.current;
        dragFrom.current = null;
        setDrag(null);
        stage?.setShift(null, 0, 0);
        if (from) dropNodes(props, from.ids, node.position.x - from.x, node.position.y - from.y);
      },
      onConnect: (connection: Connection) => {
        const refusal = editor.connect(endsOf(connection));
        if (refusal) say(refusal);
      },
      onConnectEnd: (event: MouseEvent | TouchEvent, state: FinalConnectionState) => {
        if (
          state.isValid ||
          !state.fromNode ||
          !stage ||
          !wrapper.current ||
          state.fromHandle?.type !== "source"
        )
          return;
        const box = wrapper.current.getBoundingClientRect();
        const { clientX, clientY } = "changedTouches" in event ? event.changedTouches[0] : event;
        const place = stage.toGraph(clientX - box.left, clientY - box.top);
        const n = placesOf(editor.graph, catalogue).at(place.x, place.y);
        const source = nodeOf(editor.graph, state.fromNode.id);
        if (
          n >= 0 &&
          editor.graph.nodes[n].id !== state.fromNode.id &&
          editor.graph.nodes[n].id !== source?.parentId
        ) {
          const refusal = editor.connect(
            endsOf({
              source: state.fromNode.id,
              target: editor.graph.nodes[n].id,
              sourceHandle: state.fromHandle.id ?? null,
              targetHandle: null,
            }),
          );
          if (refusal) say(refusal);
          return;
        }
        openPalette({
          title: source ? titleOf(source) : "",
          after: state.fromNode.id,
          handle: state.fromHandle.id ?? "output",
          place: { x: place.x, y: place.y - CARD_HEIGHT / 2 },
        });
      },
    };
  }, [
    stage,
    settle,
    selection,
    editor,
    catalogue,
    wrapper,
    show,
    say,
    onOpen,
    openPalette,
    openMenu,
    props,
    touched,
  ]);

  // --- pointer, keys, clipboard, drop ---

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
              d: () => {
                const made = editor.paste(editor.copy(selection.ids), { x: 36, y: 36 });
                selection.set(made);
              },
            }[key];
          }
          if (event.altKey && key.startsWith("Arrow")) return () => nudge(props, key);
          return {
            ArrowRight: () => step(neighbour(editor.graph, catalogue, primary, "right")),
            ArrowLeft: () => step(neighbour(editor.graph, catalogue, primary, "left")),
            ArrowUp: () => step(neighbour(editor.graph, catalogue, primary, "up")),
            ArrowDown: () => step(neighbour(editor.graph, catalogue, primary, "down")),
            Delete: removeSelected,
            Backspace: removeSelected,
            Escape: () => {
              selection.clear();
              setSelectedEdge("");
              setHints(false);
            },
            Enter: () => primary && onOpen?.(primary),
            n: () => openPalette(),
            c: () => primary && !editor.readOnly && setConnecting(primary),
            d: () => !editor.readOnly && toggleDisabled(),
            e: nextError,
            f: () => fit(),
            t: () => !editor.readOnly && arrangeAll(),
            "+": view.zoomIn,
            "=": view.zoomIn,
            "-": view.zoomOut,
            o: toggleOutline,
            ContextMenu: () => openMenuOfSelected(),
            "?": () => setHints((shown) => !shown),
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
        removeSelected();
      },
      onPaste: (event: ClipboardEvent) => {
        if (isTyping(event.target) || editor.readOnly) return;
        const clipping = clippingOf(event.clipboardData.getData("text/plain"));
        if (!clipping) return say("What was copied are no nodes");
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
        insert(type, { title: "", place: { x: place.x - CARD_WIDTH / 2, y: place.y - CARD_HEIGHT / 2 } });
        setPalette(null);
      },
    };
  }, [
    wrapper,
    stage,
    editor,
    catalogue,
    selection,
    props,
    step,
    removeSelected,
    onOpen,
    openPalette,
    toggleDisabled,
    nextError,
    fit,
    arrangeAll,
    view,
    hover,
    touched,
    say,
    insert,
    toggleOutline,
    openMenuOfSelected,
  ]);

  const entriesOf = (id: string): MenuEntry[] => {
    const node = nodeOf(editor.graph, id);
    const entries: MenuEntry[] = [];
    const offer = (label: string, run: () => void, keys = "") =>
      entries.push({ label, run, ...(keys ? { keys } : {}) });
    if (!node) return [];
    offer("Open", () => onOpen?.(id), "Enter");
    if (props.onRunNode && catalogue.get(node.data.type)?.role === "task")
      offer("Run only this node", () => props.onRunNode?.(id));
    if (props.onRunTo && node.parentId === undefined)
      offer("Run to here", () => props.onRunTo?.(id), "Ctrl Shift Enter");
    if (editor.readOnly) return entries;
    offer("Add a node after it", () => openPalette(), "N");
    offer("Connect to…", () => setConnecting(id), "C");
    if (node.data.pinned !== undefined)
      offer("Unpin its output", () => editor.setData(id, { pinned: undefined }, "unpin"));
    else if (props.onPin && node.parentId === undefined && store?.row(id)?.code === SUCCESS)
      offer("Pin its output", () => props.onPin?.(id));
    offer(node.data.config?.disabled === true ? "Enable" : "Disable", toggleDisabled, "D");
    offer(
      "Duplicate",
      () => selection.set(editor.paste(editor.copy(selection.ids), { x: 36, y: 36 })),
      "Ctrl D",
    );
    offer("Delete", removeSelected, "Del");
    return entries;
  };
  return {
    view,
    drag,
    filter,
    setFilter,
    selectedEdge,
    marquee,
    notice,
    hints,
    setHints,
    menu,
    menuEntries: () => (menu ? entriesOf(menu.id) : []),
    closeMenu: () => {
      setMenu(null);
      wrapper.current?.focus({ preventScroll: true });
    },
    outline,
    toggleOutline,
    palette,
    openPalette: () => openPalette(),
    closePalette,
    addFromPalette,
    addAfter,
    connecting,
    connectTo: (target: string) => {
      const source = connecting;
      setConnecting("");
      wrapper.current?.focus();
      if (!target) return;
      const node = nodeOf(editor.graph, source);
      const handle = node
        ? freeHandle(editor.graph, portsOf(node, editor.graph, catalogue).outputs, source)
        : "output";
      const refusal = editor.connect(endsOf({ source, target, sourceHandle: handle, targetHandle: null }));
      if (refusal) say(refusal);
    },
    tidy: arrangeAll,
    flow: flowProps,
    events,
  };
}

function isTyping(target: EventTarget): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName))
  );
}
