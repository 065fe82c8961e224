/** A list of lines that follows its end until one scrolls up, of which only what is in view is drawn. */

import { useVirtualizer, type Virtualizer } from "@tanstack/react-virtual";
import { ArrowDown } from "lucide-react";
import { type RefObject, type UIEvent, useEffect, useRef, useState } from "react";

interface Tail {
  readonly scroller: RefObject<HTMLDivElement | null>;
  readonly virtual: Virtualizer<HTMLDivElement, Element>;
  onScroll(event: UIEvent<HTMLDivElement>): void;
  /** Back to the end; null while it follows. */
  readonly follow: (() => void) | null;
}

/** `growth` changes whenever there is more to see at the end. */
export function useTail(count: number, growth: string): Tail {
  const scroller = useRef<HTMLDivElement>(null);
  const [follows, setFollows] = useState(true);
  const virtual = useVirtualizer<HTMLDivElement, Element>({
    count,
    getScrollElement: () => scroller.current,
    estimateSize: () => 20,
    overscan: 12,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: it goes to the end whenever there is more
  useEffect(() => {
    if (follows && count) virtual.scrollToIndex(count - 1, { align: "end" });
  }, [growth, follows]);
  return {
    scroller,
    virtual,
    onScroll: ({ currentTarget: box }) =>
      setFollows(box.scrollHeight - box.scrollTop - box.clientHeight < 24),
    follow: follows ? null : () => setFollows(true),
  };
}

export function FollowButton({ follow }: { follow: () => void }) {
  return (
    <button type="button" className="rev-button rev-button-small rev-to-end" onClick={follow}>
      <ArrowDown size={13} aria-hidden /> Follow
    </button>
  );
}
