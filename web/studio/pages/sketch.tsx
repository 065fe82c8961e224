/** A workflow in small: its shape, by which one knows it. */

import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { CARD_HEIGHT, CARD_WIDTH } from "../../canvas/geometry.ts";
import { graphOf, indexOf } from "../../canvas/graph.ts";
import { tidied } from "../../canvas/layout.ts";
import { type Places, placesOf } from "../../canvas/places.ts";
import type { WorkflowRow } from "../../execution/api.ts";
import type { WorkflowDocument } from "../../protocol/document.ts";
import { useServices } from "../services.tsx";

const WIDTH = 112;
const HEIGHT = 56;
/** Cards in small never get larger than this. */
const LARGEST_SCALE = 0.14;
/** Nodes beyond which it is only a pattern, and edges would be a smear. */
const MANY = 150;
/** Nodes beyond which a workflow is too large to be fetched for its picture. */
const MOST = 1_000;

/** Asks for the workflow when it comes into view. */
export default function Sketch({ row }: { row: WorkflowRow }) {
  const { api } = useServices();
  const frame = useRef<HTMLDivElement>(null);
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    const observer = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) setSeen(true);
    });
    if (frame.current) observer.observe(frame.current);
    return () => observer.disconnect();
  }, []);
  const document = useQuery({
    queryKey: ["sketch", row.id, row.updatedAt],
    queryFn: () => api.workflow(row.id),
    enabled: seen && row.nodes <= MOST,
    staleTime: Number.POSITIVE_INFINITY,
  });
  return (
    <div ref={frame} className="flowscope-sketch" aria-hidden>
      {document.data && <Shape document={document.data} />}
    </div>
  );
}

function Shape({ document }: { document: WorkflowDocument }) {
  const { catalogue } = useServices();
  const graph = tidied(graphOf(document), (type) => catalogue.get(type)?.role === "container");
  if (graph.nodes.length === 0) return null;
  const places = placesOf(graph, catalogue);
  const { number } = indexOf(graph);
  const { bounds } = places;
  const scale = Math.min(WIDTH / bounds.width, HEIGHT / bounds.height, LARGEST_SCALE);
  const left = bounds.x - (WIDTH / scale - bounds.width) / 2;
  const top = bounds.y - (HEIGHT / scale - bounds.height) / 2;
  const edges = graph.nodes.length > MANY ? [] : graph.edges;
  return (
    <svg
      viewBox={`${left} ${top} ${WIDTH / scale} ${HEIGHT / scale}`}
      width={WIDTH}
      height={HEIGHT}
      aria-hidden="true"
    >
      {edges.map((edge) => {
        const [source, target] = [number.get(edge.source), number.get(edge.target)];
        if (source === undefined || target === undefined) return null;
        return <path key={edge.id} d={curve(places, source, target)} strokeWidth={1 / scale} />;
      })}
      {[...places.order].map((n) => (
        <rect
          key={graph.nodes[n].id}
          data-container={places.container[n] === 1 || undefined}
          x={places.x[n]}
          y={places.y[n]}
          width={places.width[n]}
          height={places.height[n]}
          rx={Math.min(CARD_WIDTH, CARD_HEIGHT) / 5}
          strokeWidth={1 / scale}
        />
      ))}
    </svg>
  );
}

function curve(places: Places, source: number, target: number): string {
  const x1 = places.x[source] + places.width[source];
  const y1 = places.y[source] + places.height[source] / 2;
  const x2 = places.x[target];
  const y2 = places.y[target] + places.height[target] / 2;
  const bend = Math.max(20, Math.abs(x2 - x1) / 2);
  return `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
}
