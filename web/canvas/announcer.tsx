/** What a screen reader is told: what is selected, at once, and how the run goes, every five seconds at most. */

import { useEffect, useRef, useState } from "react";
import { usePrimary } from "../execution/react/hooks.ts";
import { LABELS, RUN_LABELS, STATUSES } from "../execution/status.ts";
import { nodeWords } from "../theme/node-words.ts";
import { useCanvas } from "./context.ts";
import { type Graph, nodeOf, titleOf } from "./graph.ts";

const EVERY = 5_000;

export function Announcer({ graph }: { graph: Graph }) {
  const { store, selection, catalogue, stale } = useCanvas();
  const [text, setText] = useState("");
  const said = useRef(0);
  const primary = usePrimary(selection);
  useEffect(() => {
    const node = nodeOf(graph, primary);
    if (!node) return;
    const row = store?.row(primary);
    const kind = catalogue.get(node.data.type)?.title ?? node.data.type;
    setText(`${titleOf(node)}, ${kind}${row ? `, ${nodeWords(row)}` : ""}`);
  }, [primary, graph, store, catalogue]);
  useEffect(() => {
    if (!store) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const tell = () => {
      timer = undefined;
      said.current = Date.now();
      if (!store.run) return;
      const counts = STATUSES.flatMap((status, code) =>
        store.counts[code] ? [`${store.counts[code]} ${LABELS[status].toLowerCase()}`] : [],
      );
      setText(`${stale ? "Not live. " : ""}${RUN_LABELS[store.run.status]}: ${counts.join(", ")}`);
    };
    const release = store.subscribeRun(() => {
      timer ??= setTimeout(tell, Math.max(0, said.current + EVERY - Date.now()));
    });
    return () => {
      release();
      clearTimeout(timer);
    };
  }, [store, stale]);
  return (
    <div className="rev-visually-hidden" aria-live="polite">
      {text}
    </div>
  );
}
