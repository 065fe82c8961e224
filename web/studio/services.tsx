/** What every part of the studio can ask for: the server, the runs that are watched, and how things are to look. */

import { createContext, useContext } from "react";
import type { Api, Config } from "../execution/api.ts";
import type { Runs } from "../execution/browser.ts";
import type { NodeType } from "../protocol/document.ts";

export interface Services {
  readonly api: Api;
  readonly runs: Runs;
  readonly config: Config;
  /** By type. */
  readonly catalogue: ReadonlyMap<string, NodeType>;
}

const Context = createContext<Services | null>(null);

export const ServicesProvider = Context.Provider;

export function useServices(): Services {
  const services = useContext(Context);
  if (!services) throw new Error("outside of the studio");
  return services;
}
