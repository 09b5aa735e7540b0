import { readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip, gzipSync } from 'node:zlib';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { build, defineConfig, type Plugin } from 'vite';

const root = import.meta.dirname;

/** Faces of a workload that only the coordinator runs; its `entry.ts` names them all. */
const serverFace = /\/shaders\/[^/]+\/((prepare|check|assemble|samples)\.ts|calibration\.json)$/;

/** Replaces server-only faces by a module that throws, so that no page ever carries them or the native modules behind them. */
export function withoutServerFaces(): Plugin {
  const prefix = '\0server-only:';
  return {
    name: 'tessera:without-server-faces',
    enforce: 'pre',
    async resolveId(source, importer) {
      if (!importer || !source.startsWith('.')) return null;
      const path = resolve(importer, '..', source).replaceAll('\\', '/');
      // The ending: code stands in for a file of data too.
      return serverFace.test(path) ? `${prefix}${path.slice(path.indexOf('/shaders/') + 1)}.js` : null;
    },
    load(id) {
      if (!id.startsWith(prefix)) return null;
      const message = `${id.slice(prefix.length, -'.js'.length)} runs on the coordinator only`;
      return `throw new Error(${JSON.stringify(message)});`;
    },
  };
}

const WIDGET_GZIP_BYTES_MAX = 4096;

/** widget.js is embedded by pages of other origins under one name for ever: it must be one small file that loads nothing else of ours. */
function selfContainedWidget(): Plugin {
  return {
    name: 'tessera:self-contained-widget',
    generateBundle(_options, bundle) {
      const loader = bundle['widget.js'];
      if (loader?.type !== 'chunk') this.error('widget.js was not built');
      const imports = [...loader.imports, ...loader.dynamicImports];
      if (imports.length > 0) this.error(`widget.js must import nothing, it imports ${imports.join(', ')}`);
      const bytes = gzipSync(loader.code, { level: 9 }).byteLength;
      if (bytes > WIDGET_GZIP_BYTES_MAX) this.error(`widget.js has ${bytes} bytes gzipped, it may have ${WIDGET_GZIP_BYTES_MAX}`);
    },
  };
}

/** `/sdk.js`: the client of the API as one module for programs of others, under one name for ever. */
function sdk(): Plugin {
  return {
    name: 'tessera:sdk',
    async generateBundle() {
      const entry = resolve(root, 'client/sdk/index.ts');
      const made = await build({ configFile: false, logLevel: 'warn', build: { target: 'es2023', write: false, lib: { entry, formats: ['es'] } } });
      const [bundle] = [made].flat();
      const chunk = bundle && 'output' in bundle ? bundle.output[0] : undefined;
      if (!chunk) return this.error('sdk.js was not built');
      this.emitFile({ type: 'asset', fileName: 'sdk.js', source: chunk.code });
    },
  };
}

const compressible = /\.(js|mjs|css|html|wasm)$/;

/** Of 27 MB of WebAssembly this leaves 5.0 MB in two seconds; the best, 11, some 4.5 MB in a minute. */
const LARGE_BYTES = 4 * 2 ** 20;
const LARGE_QUALITY = 5;

/** Writes every text as `.br` and `.gz` too, once and as small as it gets; the coordinator only picks the file. */
function compressed(): Plugin {
  return {
    name: 'tessera:compressed',
    async writeBundle({ dir = '' }, bundle) {
      const texts = Object.keys(bundle).filter((file) => compressible.test(file));
      const compress = async (path: string): Promise<void> => {
        const bytes = await readFile(path);
        const isLarge = bytes.byteLength > LARGE_BYTES;
        const params = { [constants.BROTLI_PARAM_QUALITY]: isLarge ? LARGE_QUALITY : constants.BROTLI_MAX_QUALITY };
        await writeFile(`${path}.br`, await promisify(brotliCompress)(bytes, { params }));
        await writeFile(`${path}.gz`, await promisify(gzip)(bytes, { level: isLarge ? LARGE_QUALITY : 9 }));
      };
      await Promise.all(texts.map((file) => compress(resolve(dir, file))));
    },
  };
}

/** Entries that keep their names. */
const atRoot: ReadonlySet<string> = new Set(['widget', 'service-worker']);

export default defineConfig({
  root: resolve(root, 'client'),
  cacheDir: resolve(root, '.cache/vite'),
  plugins: [withoutServerFaces(), svelte({ configFile: false }), selfContainedWidget(), sdk(), compressed()],
  // It finds its WebAssembly beside itself, which a copy of its script cannot.
  optimizeDeps: { exclude: ['onnxruntime-web'] },
  worker: { format: 'es', plugins: () => [withoutServerFaces()], rolldownOptions: { checks: { bundlerTimings: false } } },
  build: {
    target: 'es2023',
    outDir: resolve(root, 'dist/client'),
    emptyOutDir: true,
    // The content security policy allows no data: fonts or scripts, and nothing inline.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // three.js, in one chunk, once a file is there to be previewed.
    chunkSizeWarningLimit: 800,
    rolldownOptions: {
      checks: { bundlerTimings: false },
      input: {
        index: resolve(root, 'client/index.html'),
        frame: resolve(root, 'client/widget/frame.html'),
        run: resolve(root, 'client/widget/run.html'),
        consent: resolve(root, 'client/widget/consent.html'),
        widget: resolve(root, 'client/widget/loader.ts'),
        'service-worker': resolve(root, 'client/install/service-worker.ts'),
      },
      output: { entryFileNames: (chunk) => (atRoot.has(chunk.name) ? `${chunk.name}.js` : 'assets/[name]-[hash].js') },
    },
  },
});
