/** What can be done on the canvas, and how it stands: the hook that `Canvas` is drawn from. */

import { type RefObject, useCallback, useEffect, useMemo, useState, useSyncExternalStore } from "react";
import { ERROR, SUCCESS } from "../execution/status.ts";
import type { NodeType } from "../protocol/document.ts";
import type { CanvasProps } from "./canvas.tsx";
import { useCardEvents } from "./card-events.ts";
import { indexOf, nodeOf, titleOf } from "./graph.ts";
import { useGroundEvents } from "./ground-events.ts";
import { tidy } from "./layout.ts";
import type { MenuEntry } from "./node-menu.tsx";
import { endsOf, freeHandle, placedNode, type Wanted } from "./placing.ts";
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

export type Surface = ReturnType<typeof useSurface>;

export function useSurface(props: CanvasProps, stage: Stage | null, wrapper: RefObject<HTMLElement | null>) {
  const { editor, store, selection, catalogue, onReady, onOpen } = props;
  const graph = useSyncExternalStore(editor.subscribe, () => editor.graph);
  const view = useView(props, stage, graph, wrapper);
  const { fit, show, step, keepInView } = view;
  const [filter, setFilter] = useState<ReadonlySet<number> | null>(null);
  const [selectedEdge, setSelectedEdge] = useState("");
  const [palette, setPalette] = useState<Wanted | null>(null);
  const [notice, setNotice] = useState("");
  const [hints, setHints] = useState(false);
  const [connecting, setConnecting] = useState("");
  const [menu, setMenu] = useState<{ id: string; x: number; y: number } | null>(null);
  const [outline, setOutline] = useState(false);
  const toggleOutline = useCallback(() => setOutline((shown) => !shown), []);

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
      setPalette(null);
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
  const duplicate = useCallback(() => {
    selection.set(editor.paste(editor.copy(selection.ids), { x: 36, y: 36 }));
  }, [editor, selection]);
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

  const does = useMemo(
    () => ({
      say,
      selectEdge: setSelectedEdge,
      insert,
      openPalette,
      openMenu,
      openMenuOfSelected,
      connectFrom: setConnecting,
      removeSelected,
      toggleDisabled,
      duplicate,
      nextError,
      arrangeAll,
      toggleOutline,
      showHints: setHints,
    }),
    [
      say,
      insert,
      openPalette,
      openMenu,
      openMenuOfSelected,
      removeSelected,
      toggleDisabled,
      duplicate,
      nextError,
      arrangeAll,
      toggleOutline,
    ],
  );
  const ground = { props, stage, wrapper, view };
  const { events: flow, drag } = useCardEvents(ground, does);
  const { events, marquee } = useGroundEvents(ground, does);

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
    offer("Duplicate", duplicate, "Ctrl D");
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
    flow,
    events,
  };
}
