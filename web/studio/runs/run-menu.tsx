/** What else can be done with a run: again, from where it failed, replayed, taken along. */

import { useNavigate } from "@tanstack/react-router";
import { Copy, Download, Ellipsis, History, RotateCcw, Workflow, Wrench } from "lucide-react";
import { DropdownMenu } from "radix-ui";
import { type ComponentType, useCallback, useMemo, useState } from "react";
import { useRunFacts } from "../../execution/react/hooks.ts";
import type { RunStore } from "../../execution/run-store.ts";
import { type Command, useCommands } from "../commands.ts";
import { useServices } from "../services.tsx";
import { ForkDialog } from "./fork-dialog.tsx";

interface RunMenuProps {
  readonly store: RunStore;
  readonly workflowId: string;
  readonly replaying: boolean;
  replay(): void;
}

type Act = Command & { readonly Icon: ComponentType<{ size?: number; "aria-hidden"?: boolean }> };

export function RunMenu({ store, workflowId, replaying, replay }: RunMenuProps) {
  const { api } = useServices();
  const navigate = useNavigate();
  const run = useRunFacts(store);
  const [retrying, setRetrying] = useState(false);
  const [error, setError] = useState("");
  const id = store.executionId;
  const failed = run?.status === "failed" || run?.status === "cancelled";
  const again = useCallback(async () => {
    setError("");
    try {
      const input = await api.runInput(id);
      const { executionId } = await api.start(workflowId, input);
      await navigate({ to: "/runs/$executionId", params: { executionId } });
    } catch (refused) {
      setError((refused as Error).message);
    }
  }, [api, id, workflowId, navigate]);
  const acts = useMemo<Act[]>(() => {
    const group = "This run";
    return [
      {
        id: "again",
        title: "Run again with the same input",
        group,
        Icon: RotateCcw,
        run: () => void again(),
      },
      ...(failed
        ? [
            {
              id: "retry",
              title: "Retry from where it failed",
              group,
              Icon: Wrench,
              run: () => setRetrying(true),
            },
          ]
        : []),
      ...(replaying
        ? []
        : [
            {
              id: "replay",
              title: "Replay it",
              group,
              words: "past history time",
              Icon: History,
              run: replay,
            },
          ]),
      {
        id: "copy-id",
        title: "Copy the run's id",
        group,
        Icon: Copy,
        run: () => void navigator.clipboard.writeText(id),
      },
      {
        id: "export-run",
        title: "Export as one HTML file",
        group,
        words: "download save share",
        Icon: Download,
        run: () => location.assign(`${api.base}/api/executions/${encodeURIComponent(id)}/export`),
      },
      {
        id: "open-workflow",
        title: "Open its workflow",
        group,
        Icon: Workflow,
        run: () => void navigate({ to: "/workflows/$workflowId", params: { workflowId } }),
      },
    ];
  }, [again, api, failed, id, navigate, replay, replaying, workflowId]);
  useCommands(useCallback(() => acts, [acts]));
  return (
    <>
      {error && (
        <span role="alert" className="max-w-60 truncate text-error-ink" title={error}>
          {error}
        </span>
      )}
      <DropdownMenu.Root modal={false}>
        <DropdownMenu.Trigger asChild>
          <button
            type="button"
            className="rev-button rev-button-icon"
            aria-label="More about this run"
            title="More"
          >
            <Ellipsis size={15} aria-hidden />
          </button>
        </DropdownMenu.Trigger>
        <DropdownMenu.Portal>
          <DropdownMenu.Content align="end" sideOffset={6} className="rev-menu">
            {acts.map(({ id: key, title, Icon, run: act }) => (
              <DropdownMenu.Item key={key} className="rev-menu-item" onSelect={act}>
                <Icon size={14} aria-hidden /> {title}
              </DropdownMenu.Item>
            ))}
          </DropdownMenu.Content>
        </DropdownMenu.Portal>
      </DropdownMenu.Root>
      {retrying && (
        <ForkDialog
          executionId={id}
          workflowId={workflowId}
          title="Retry from where it failed"
          close={() => setRetrying(false)}
        />
      )}
    </>
  );
}
