import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

const server = process.env.FLOWSCOPE_URL ?? "http://127.0.0.1:3001";

/** The page names what its first script is sure to import: the browser fetches that at once, and not when the script asks. */
const preloads: Plugin = {
  name: "preload-application",
  transformIndexHtml: {
    order: "post",
    handler: (_, { bundle }) => {
      const chunks = Object.values(bundle ?? {}).filter((one) => one.type === "chunk");
      const entry = chunks.find((one) => one.isEntry)?.fileName;
      const application = chunks.find((one) => one.name === "application");
      const files = application ? [application.fileName, ...application.imports] : [];
      return files
        .filter((file) => file !== entry)
        .map((file) => ({
          tag: "link",
          attrs: { rel: "modulepreload", crossorigin: true, href: `./${file}` },
          injectTo: "head",
        }));
    },
  },
};

export default defineConfig({
  root: "studio",
  base: "./",
  plugins: [react(), tailwindcss(), preloads],
  build: {
    outDir: "../../src/flowscope/studio",
    emptyOutDir: true,
    target: "es2023",
    // Content-Security-Policy allows no data: addresses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 400,
    rolldownOptions: {
      output: {
        // A browser fetches six files at a time, and the page's data is to be among the first: few files, rather than none too large.
        codeSplitting: {
          includeDependenciesRecursively: false,
          groups: [
            {
              name: "early",
              test: /studio.early|execution.api\.|theme.theme\.|preload-helper|rolldown.runtime/,
              priority: 4,
            },
            {
              name: "base",
              test: /node_modules.(react|react-dom|scheduler|use-sync-external-store|@tanstack.(react-query|query-core|react-router|router-core|history|react-store|store))\//,
              priority: 3,
            },
            { name: "icons", test: /lucide-react/, minShareCount: 2, priority: 2 },
            {
              name: "common",
              test: /web.(canvas.(graph|layout|places|ports|geometry)|studio.(split|commands|top-bar|services|dialog)|execution|theme)/,
              minShareCount: 3,
              priority: 1,
            },
            { name: "workbench", test: /web.(canvas|studio.workbench)./, minShareCount: 3 },
          ],
        },
      },
    },
  },
  server: {
    proxy: {
      "/api": { target: server, changeOrigin: true, headers: { origin: server } },
      "/ws": { target: server, changeOrigin: true, ws: true, headers: { origin: server } },
    },
  },
});
