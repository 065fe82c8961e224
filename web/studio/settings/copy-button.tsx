/** Puts a text on the clipboard, and says so. */

import { Check, Copy } from "lucide-react";
import { useState } from "react";

export function CopyButton({ text, what }: { text: string; what: string }) {
  const [said, setSaid] = useState<"" | "Copied" | "It could not be copied">("");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setSaid("Copied");
    } catch {
      // Where the page is not served over HTTPS there is no clipboard.
      setSaid("It could not be copied");
    }
  };
  return (
    <>
      <button
        type="button"
        className="rev-button rev-button-small rev-button-icon flex-none"
        aria-label={`Copy ${what}`}
        title={said || "Copy"}
        onClick={() => void copy()}
        onBlur={() => setSaid("")}
      >
        {said === "Copied" ? <Check size={13} aria-hidden /> : <Copy size={13} aria-hidden />}
      </button>
      <span role="status" className="rev-visually-hidden">
        {said}
      </span>
    </>
  );
}
