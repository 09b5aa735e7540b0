import { svelte } from '@sveltejs/vite-plugin-svelte';
import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';
import { findChromium, softwareGpuFlags } from './scripts/chromium.ts';

const executablePath = findChromium();

/** Native modules: never transformed, never offered to a page. */
const native = ['better-sqlite3', 'sharp', 'webgpu'];

/** Finds its WebAssembly beside itself, which a copy of its script cannot. */
const besideItsWasm = 'onnxruntime-web';

export default defineConfig({
  test: {
    // One group after the other: WebGPU on two cores in software leaves nothing for the clocks of another project.
    projects: [
      {
        plugins: [svelte({ configFile: false })],
        test: {
          name: 'unit',
          environment: 'node',
          include: ['{shared,shaders,server,client,scripts}/**/*.test.ts', 'tidy.test.ts'],
          exclude: ['**/*.browser.test.ts'],
          server: { deps: { external: native } },
          testTimeout: 30_000,
          // Vitest leaves a core to itself, which is half of a small machine; and some tests wait.
          maxWorkers: 3,
          // Two hundred files share what they import; each undoes what it stubs.
          isolate: false,
          sequence: { groupOrder: 0 },
        },
      },
      {
        plugins: [svelte({ configFile: false })],
        // Met only while a test runs, they would have the page loaded again.
        optimizeDeps: { exclude: [...native, besideItsWasm], include: ['protobufjs', 'wabt'] },
        test: {
          name: 'browser',
          include: ['{shared,shaders,client}/**/*.browser.test.ts'],
          testTimeout: 120_000,
          sequence: { groupOrder: 1 },
          fileParallelism: false,
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({ launchOptions: { ...(executablePath ? { executablePath } : {}), args: [...softwareGpuFlags] } }),
            instances: [{ browser: 'chromium' }],
          },
        },
      },
      {
        test: {
          name: 'e2e',
          environment: 'node',
          include: ['e2e/**/*.test.ts'],
          testTimeout: 240_000,
          hookTimeout: 60_000,
          fileParallelism: false,
          isolate: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
