/** What can be done now, for the command menu: each page offers its commands while it is there. */

import { useEffect } from "react";

export interface Command {
  readonly id: string;
  readonly title: string;
  readonly group: string;
  readonly keys?: string;
  /** More words it is found by. */
  readonly words?: string;
  run(): void;
}

type Offer = () => readonly Command[];

const offers = new Set<Offer>();

/** Everything that is on offer, gathered when the menu opens. */
export function commandsNow(): Command[] {
  return [...offers].flatMap((offer) => [...offer()]);
}

/** Offer commands while the component is there. `offer` is called when the menu opens. */
export function useCommands(offer: Offer): void {
  useEffect(() => {
    offers.add(offer);
    return () => {
      offers.delete(offer);
    };
  }, [offer]);
}
