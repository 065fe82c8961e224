/** The little that is loaded first: it asks for what the page will want, and for the studio. */

import "./styles.css";
import { applyTheme, preferredTheme } from "../theme/theme.ts";
import { api, beginEarly, root } from "./early.ts";

applyTheme(preferredTheme("dynamic"));
beginEarly(location.pathname.slice(root.pathname.length));
void import("./application.tsx").then(({ open }) => open(api, root));
