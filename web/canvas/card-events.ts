/** What is done to cards, and on the ground between them, as React Flow tells it. */

import type { Connection, FinalConnectionState, ReactFlowProps } from "@xyflow/react";
import { type RefObject, useMemo, useRef, useState } from "react";
import type { CanvasProps } from "./canvas.tsx";
import type { CardNode } from "./cards.tsx";
import { edgesOf } from "./edges.ts";
import { BODY_HEADER, CARD_HEIGHT } from "./geometry.ts";
import { indexOf, nodeOf, titleOf, withBodies } from "./graph.ts";
import { placesOf } from "./places.ts";
import { dropNodes, endsOf, type Wanted } from "./placing.ts";
import type { Stage } from "./stage.ts";
import type { View } from "./view.ts";

/** Where it happens. */
export interface Ground {
  readonly props: CanvasProps;
  readonly stage: Stage | null;
  readonly wrapper: RefObject<HTMLElement | null>;
  readonly view: View;
}

export interface CardDeeds {
  say(text: string): void;
  selectEdge(id: string): void;
  openPalette(wanted?: Wanted): void;
  openMenu(id: string, clientX: number, clientY: number): void;
}

/** What is being dragged, and how far. */
export interface Drag {
  readonly ids: ReadonlySet<string>;
  readonly x: number;
  readonly y: number;
}

export function useCardEvents({ props, stage, wrapper, view }: Ground, does: CardDeeds) {
  const { editor, selection, catalogue, onOpen } = props;
  const { touched, settle, show } = view;
  const [drag, setDrag] = useState<Drag | null>(null);
  const dragFrom = useRef<{ x: number; y: number; ids: Set<string> } | null>(null);
  const events = useMemo((): Partial<ReactFlowProps<CardNode>> => {
    const select = (event: { shiftKey: boolean; ctrlKey: boolean; metaKey: boolean }, id: string) => {
      does.selectEdge("");
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
        does.openMenu(node.id, event.clientX, event.clientY);
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
        does.selectEdge(e < 0 ? "" : edges.ids[e]);
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
        if (refusal) does.say(refusal);
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
          if (refusal) does.say(refusal);
          return;
        }
        does.openPalette({
          title: source ? titleOf(source) : "",
          after: state.fromNode.id,
          handle: state.fromHandle.id ?? "output",
          place: { x: place.x, y: place.y - CARD_HEIGHT / 2 },
        });
      },
    };
  }, [stage, settle, selection, editor, catalogue, wrapper, show, does, onOpen, props, touched]);
  return { events, drag };
}
