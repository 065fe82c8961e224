import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const server = process.env.FLOWSCOPE_URL ?? "http://127.0.0.1:3001";

export default defineConfig({
  root: "studio",
  base: "./",
  plugins: [react(), tailwindcss()],
  build: {
    outDir: "../../src/flowscope/studio",
    emptyOutDir: true,
    target: "es2023",
    // Content-Security-Policy allows no data: addresses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 400,
  },
  server: {
    proxy: {
      "/api": { target: server, changeOrigin: true, headers: { origin: server } },
      "/ws": { target: server, changeOrigin: true, ws: true, headers: { origin: server } },
    },
  },
});
