import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** The package's files: React is the host's own; React Flow, which is not all ES modules, is for the host's bundler. */
export default defineConfig({
  root: import.meta.dirname,
  plugins: [react()],
  build: {
    outDir: "dist",
    target: "es2022",
    cssCodeSplit: false,
    lib: { entry: "package.ts", formats: ["es"], fileName: "index", cssFileName: "realtime-visualizer" },
    rollupOptions: { external: ["react", "react-dom", "react/jsx-runtime", "@xyflow/react"] },
  },
});
