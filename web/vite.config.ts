import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/** Where `anytomy serve` listens while the page is developed: `ANYTOMY_SERVER=http://127.0.0.1:8801 npm run dev`. */
const server = process.env.ANYTOMY_SERVER ?? "http://127.0.0.1:8719";

// The server takes requests from its own address only, so what the proxy passes on must say that address.
const proxy = { "/api": { target: server, changeOrigin: true, headers: { origin: server } } };

export default defineConfig({
  base: "./",
  resolve: { alias: { zarrita: fileURLToPath(new URL("./src/view/no-zarr.ts", import.meta.url)) } },
  build: {
    outDir: "../src/anytomy/server/page",
    emptyOutDir: true,
    target: "es2022",
    license: { fileName: "licences.txt" }, // of what is bundled, which goes wherever the page goes
    assetsInlineLimit: 0, // a data: address would need a weaker content security policy
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 2500, // NiiVue, which is loaded when the 3D view is opened
  },
  server: { proxy },
  preview: { proxy },
  test: { include: ["src/**/*.test.ts", "tests/**/*.test.ts"], environment: "node" },
});
