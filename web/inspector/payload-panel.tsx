/** What a node got or gave. Large ones are shown by how they begin, until all of it is asked for. */

import { useQuery } from "@tanstack/react-query";
import { Download } from "lucide-react";
import { useState } from "react";
import { type Api, ApiError } from "../execution/api.ts";
import { size } from "../theme/format.ts";
import { JsonView } from "./json-view.tsx";

interface PayloadPanelProps {
  readonly api: Api;
  /** Where it is. */
  readonly path: string;
  readonly label: string;
  /** What paths in it begin with. */
  readonly root: string;
  /** Changes when there may be another. */
  readonly stamp: string;
  /** Whether there is one. */
  readonly there: boolean;
  /** What is said where there is none. */
  readonly nothing: string;
  readonly file: string;
}

const INLINE = 512 * 1024;
const MOST = 64 * 1024 * 1024;

export function PayloadPanel({ api, path, label, root, stamp, there, nothing, file }: PayloadPanelProps) {
  const [whole, setWhole] = useState("");
  const most = whole === path ? MOST : INLINE;
  const payload = useQuery({
    queryKey: ["payload", path, stamp, most],
    queryFn: () => api.payload(path, most),
    enabled: there,
    retry: false,
    staleTime: Number.POSITIVE_INFINITY,
    placeholderData: (last, query) => (query?.queryKey[1] === path ? last : undefined),
  });
  if (!there) return <p className="text-muted">{nothing}</p>;
  if (payload.error) {
    const none = payload.error instanceof ApiError && payload.error.code === "NO_PAYLOAD";
    return none ? (
      <p className="text-muted">{nothing}</p>
    ) : (
      <p role="alert" className="text-error-ink">
        {payload.error.message}
      </p>
    );
  }
  if (!payload.data)
    return (
      <p className="text-faint" aria-busy="true">
        Reading…
      </p>
    );
  if (payload.data.whole) {
    return <JsonView value={payload.data.value} root={root} label={label} />;
  }
  return (
    <div className="flex min-h-0 flex-1 flex-col gap-2">
      <p>
        {payload.data.size ? `${size(payload.data.size)}: ` : "More than half a megabyte: "}
        only its beginning is shown.
      </p>
      <div className="flex gap-2">
        <button type="button" className="rev-button rev-button-small" onClick={() => setWhole(path)}>
          Load all
        </button>
        <a className="rev-button rev-button-small" href={api.base + path} download={file}>
          <Download size={13} aria-hidden /> Download
        </a>
      </div>
      <pre
        tabIndex={0}
        className="min-h-24 flex-1 overflow-auto rounded-lg border border-line bg-sunken p-2.5 font-mono text-xs break-all whitespace-pre-wrap text-muted"
      >
        {payload.data.preview}…
      </pre>
    </div>
  );
}
