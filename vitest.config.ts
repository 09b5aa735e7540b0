import { svelte } from '@sveltejs/vite-plugin-svelte';
import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';
import { findChromium, softwareGpuFlags } from './scripts/chromium.ts';

const executablePath = findChromium();

/** Native modules: never transformed, never offered to a page. */
const native = ['better-sqlite3', 'sharp', 'webgpu'];

/** Finds its WebAssembly beside itself, which a copy of its script cannot. */
const besideItsWasm = 'onnxruntime-web';

/** Stories that mostly wait for time-outs: beside them the kernels have a core and more. */
const waiting = ['e2e/interruptions.test.ts', 'e2e/tabs.test.ts'];

/** Stories about shares of the GPU's time, and of five pages that compute: they have the machine alone. All others run two at a time. */
const measuring = ['e2e/behind.test.ts', 'e2e/comfort.test.ts', 'e2e/liars.test.ts'];

const story = { environment: 'node', testTimeout: 240_000, hookTimeout: 60_000, isolate: false } as const;

export default defineConfig({
  test: {
    // One group after the other: WebGPU on two cores in software leaves little for the clocks of another project.
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
          // A coordinator that ends lets what is under way finish, for up to 20 s.
          hookTimeout: 40_000,
          globalSetup: 'server/store/postgres.setup.ts',
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
        optimizeDeps: { exclude: [...native, besideItsWasm], include: ['protobufjs', 'wabt', 'typebox', 'typebox/value'] },
        test: {
          name: 'browser',
          include: ['{shared,shaders,client}/**/*.browser.test.ts'],
          testTimeout: 120_000,
          sequence: { groupOrder: 1 },
          fileParallelism: false,
          // As for `connectTimeout`, of the frame that each file gets: no setting of Vitest's, only this.
          env: { VITEST_BROWSER_IFRAME_TIMEOUT: '180000' },
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            // Beside the stories that wait, on two busy cores, a page may take longer than the minute that is the default.
            connectTimeout: 180_000,
            provider: playwright({ launchOptions: { ...(executablePath ? { executablePath } : {}), args: [...softwareGpuFlags] } }),
            instances: [{ browser: 'chromium' }],
          },
        },
      },
      { test: { ...story, name: 'waiting', include: waiting, fileParallelism: false, sequence: { groupOrder: 1 } } },
      { test: { ...story, name: 'e2e', include: ['e2e/**/*.test.ts'], exclude: [...waiting, ...measuring], maxWorkers: 2, sequence: { groupOrder: 2 } } },
      { test: { ...story, name: 'measuring', include: measuring, fileParallelism: false, sequence: { groupOrder: 3 } } },
    ],
  },
});
