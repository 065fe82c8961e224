/** What every field of the form can ask for. */

import { createContext, useContext } from "react";
import type { Api } from "../../execution/api.ts";
import type { Problem } from "../../protocol/document.ts";
import type { Known } from "./completions.ts";

export interface SettingsContext {
  readonly api: Api;
  readonly known: Known;
  readonly readOnly: boolean;
  /** The run whose data previews are worked out with. */
  readonly preview: { readonly executionId: string; readonly nodeId: string } | null;
  /** The server's, of this node. */
  readonly problems: readonly Problem[];
}

const Context = createContext<SettingsContext | null>(null);

export const SettingsProvider = Context.Provider;

export function useSettings(): SettingsContext {
  const context = useContext(Context);
  if (!context) throw new Error("outside of a settings form");
  return context;
}
