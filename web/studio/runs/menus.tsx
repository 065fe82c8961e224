/** The menus of a run, in their places at once, and loaded when they are first shown: they bring much along. */

import { type ComponentProps, lazy, Suspense } from "react";

const LazyRunMenu = lazy(async () => ({ default: (await import("./run-menu.tsx")).RunMenu }));
const LazyFamilyMenu = lazy(async () => ({ default: (await import("./family-menu.tsx")).FamilyMenu }));

const place = <span className="size-8 shrink-0" aria-hidden />;

export function RunMenu(props: ComponentProps<typeof LazyRunMenu>) {
  return (
    <Suspense fallback={place}>
      <LazyRunMenu {...props} />
    </Suspense>
  );
}

export function FamilyMenu(props: ComponentProps<typeof LazyFamilyMenu>) {
  return (
    <Suspense fallback={place}>
      <LazyFamilyMenu {...props} />
    </Suspense>
  );
}
