/** In the place of a page that cannot be shown. Mostly a part of it was not there: another build has taken this one's place. */

import type { ErrorComponentProps } from "@tanstack/react-router";
import { useEffect, useState } from "react";

export function Broken({ error }: ErrorComponentProps) {
  const [outdated, setOutdated] = useState(false);
  useEffect(() => {
    void isOutdated().then(setOutdated);
  }, []);
  return (
    <main role="alert" className="grid h-full flex-1 place-items-center p-6">
      <div className="max-w-md text-center">
        <h1 className="mb-2 text-lg font-semibold">
          {outdated ? "A new version of the studio is here" : "This page cannot be shown"}
        </h1>
        <p className="mb-4 text-muted">
          {outdated ? "Reload to go on with it. Runs are not affected, and edits are saved." : wordsOf(error)}
        </p>
        <button type="button" className="rev-button" onClick={() => location.reload()}>
          Reload
        </button>
      </div>
    </main>
  );
}

/** Whether the server's page is of another build than this one. */
async function isOutdated(): Promise<boolean> {
  const script = document.querySelector<HTMLScriptElement>("script[type=module][src]");
  try {
    const page = await fetch(location.href, { cache: "no-store" });
    return page.ok && script !== null && !(await page.text()).includes(new URL(script.src).pathname);
  } catch {
    return false;
  }
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
