import { readdirSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { build, type Rolldown } from 'vite';
import { expect, it } from 'vitest';

/** What a visitor of the account page loads for wallets before he has one. */
const GZIP_BYTES_MAX = 6144;

/** On the page anyway: our own formats and network code, and Svelte. */
const external = [/\/shared\//, /\/client\/net\//, /^svelte(\/|$)/];

async function bundled(entries: readonly string[]): Promise<Rolldown.OutputChunk[]> {
  const all = '\0all';
  const plugin = {
    name: 'all-of-them',
    resolveId: (id: string) => (id === all ? id : null),
    load: (id: string) => (id === all ? entries.map((entry, index) => `export * as part${index} from ${JSON.stringify(entry)};`).join('\n') : null),
  };
  // Vite says `production` to the whole process, which others share.
  const { NODE_ENV } = process.env;
  const made = await build({
    configFile: false,
    logLevel: 'warn',
    plugins: [plugin, svelte({ configFile: false })],
    build: { target: 'es2023', write: false, minify: true, rolldownOptions: { input: all, external, preserveEntrySignatures: 'strict' } },
  });
  process.env.NODE_ENV = NODE_ENV;
  return [made].flat().flatMap((each) => ('output' in each ? each.output.filter((file) => file.type === 'chunk') : []));
}

it('wallets are at most 6 kB, what is loaded later apart', async () => {
  const files = readdirSync(import.meta.dirname).filter((name) => /^wallet.*\.ts$/.test(name) && !/\.(test|testing)\.ts$/.test(name));
  expect(files).toEqual(['wallet-mobile.ts', 'wallet-sign-in.ts', 'wallet-words.ts', 'wallet.svelte.ts']);
  const chunks = await bundled(files.map((name) => `${import.meta.dirname}/${name}`));
  const byName = new Map(chunks.map((chunk) => [chunk.fileName, chunk]));
  const entry = chunks.find(({ isEntry }) => isEntry)!;
  // All that comes with the entry; what only a dynamic import leads to does not.
  const first = new Set([entry]);
  for (const chunk of first)
    for (const name of chunk.imports) {
      const next = byName.get(name);
      if (next) first.add(next);
    }
  const sizeOf = (some: Iterable<Rolldown.OutputChunk>): number => [...some].reduce((sum, { code }) => sum + gzipSync(code, { level: 9 }).byteLength, 0);
  console.log(`wallets: ${sizeOf(first)} bytes gzipped at once, ${sizeOf(chunks) - sizeOf(first)} more on Android`);
  // The adapter for phones is built, and apart.
  expect(chunks.length).toBeGreaterThan(first.size);
  expect(sizeOf(first)).toBeLessThanOrEqual(GZIP_BYTES_MAX);
});
