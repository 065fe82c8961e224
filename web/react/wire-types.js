/** The types of the wire stand outside of `web/`, where the server writes them: the package takes a copy. */

import { cpSync } from "node:fs";

const here = import.meta.dirname;
cpSync(`${here}/../../docs/protocol.d.ts`, `${here}/dist/types/docs/protocol.d.ts`);
