/** What the package's build starts from: the interface, and the stylesheet that goes with it. */

import "./realtime-visualizer.css";

export * from "./index.ts";
export { default } from "./index.ts";
