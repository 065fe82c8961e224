/** The connection light: it says what is true, in words, with a shape of its own for each. */

import type { Light } from "../execution/connection.ts";
import { useRunFacts } from "../execution/react/hooks.ts";
import type { RunStore } from "../execution/run-store.ts";
import { count } from "../theme/format.ts";

interface LiveLightProps {
  readonly light: Light;
  readonly store: RunStore | null;
}

export function LiveLight({ light, store }: LiveLightProps) {
  useRunFacts(store);
  const { word, look, title } = wordsOf(light, store);
  return (
    <span
      role="status"
      data-light={light.state}
      title={title}
      className="inline-flex items-center gap-1.5 whitespace-nowrap text-muted"
    >
      <span aria-hidden className={`rev-light rev-light-${look}`} />
      <span className="max-md:sr-only">{word}</span>
    </span>
  );
}

function wordsOf(light: Light, store: RunStore | null): { word: string; look: string; title: string } {
  const seq = store && store.cursor >= 0 ? ` · seq ${count(store.cursor)}` : "";
  switch (light.state) {
    case "live":
      if (store?.ended)
        return { word: `Up to date${seq}`, look: "live", title: "The run has ended, and this is all of it" };
      return { word: `Live${seq}`, look: "live", title: "Everything the server knows is on the screen" };
    case "catching-up":
      return { word: `Catching up${seq}`, look: "busy", title: "Receiving what happened before" };
    case "connecting":
      return { word: "Connecting…", look: "busy", title: "" };
    case "stale": {
      const seconds = Math.floor(light.silence / 1_000);
      return {
        word: `Stale ${seconds} s`,
        look: "stale",
        title: `Nothing was heard from the server for ${seconds} s`,
      };
    }
    case "offline": {
      const wait = Math.max(0, Math.ceil((light.retryAt - Date.now()) / 1_000));
      const again = light.retryAt ? `trying again in ${wait} s` : "trying again now";
      return {
        word: `Offline${seq}`,
        look: "off",
        title: `The connection is lost; ${again}. What you see is from before.`,
      };
    }
    case "refused":
      return { word: light.reason, look: "off", title: light.reason };
  }
}
