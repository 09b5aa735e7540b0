import { existsSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { chromium, type Page } from 'playwright';
import { build, type Plugin } from 'vite';

/**
 * A page in headless Chromium for benchmarks. `CHROMIUM_PATH` names a browser; `CHROMIUM_FLAGS` replaces the flags that select the
 * software GPU, so that the same command measures a real one.
 */

/** The three Vulkan flags keep pages alive that configure a WebGPU canvas, as the peer does: without them Chromium 156 crashes. */
export const SOFTWARE_FLAGS =
  '--no-sandbox --enable-unsafe-webgpu --use-webgpu-adapter=swiftshader --use-angle=vulkan --use-vulkan=swiftshader --enable-features=Vulkan --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync';

export interface BenchPage {
  /** Its version. */
  readonly browser: string;
  readonly page: Page;
  /** What fetch('/blob/NAME') gives the page. */
  readonly blobs: Map<string, Uint8Array>;
  close(): Promise<void>;
}

export interface Bundle {
  /** Under which the page imports it: /NAME.js. */
  readonly name: string;
  readonly entry: URL;
  /** Other packages in the place of some. */
  readonly alias?: Readonly<Record<string, string>>;
  /** Changes of sources, told by a part of their path: text that must be there once, and what stands there instead. */
  readonly changes?: readonly { readonly path: string; readonly from: string; readonly to: string }[];
}

export async function openPage(bundles: readonly Bundle[], flags: string = process.env.CHROMIUM_FLAGS ?? SOFTWARE_FLAGS): Promise<BenchPage> {
  const executablePath = [process.env.CHROMIUM_PATH, chromium.executablePath(), '/usr/bin/chromium'].find((path) => path && existsSync(path));
  const args = flags.split(' ').filter(Boolean);
  const codes = new Map<string, string>();
  for (const bundle of bundles) codes.set(`/${bundle.name}.js`, await codeOf(bundle));
  const blobs = new Map<string, Uint8Array>();
  const server = await serve(codes, blobs);
  const browser = await chromium.launch({ ...(executablePath ? { executablePath } : {}), args }).catch((error) => {
    server.close();
    throw error;
  });
  const close = async (): Promise<void> => {
    await browser.close();
    server.close();
  };
  try {
    const page = await browser.newPage();
    page.on('console', (message) => progress(`page: ${message.text()}`));
    await page.goto(`http://localhost:${(server.address() as AddressInfo).port}/`);
    return { browser: browser.version(), page, blobs, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * A server of its own on localhost, which is a secure context: requests that Playwright answers travel as one message, and the scene of a
 * million triangles is too long for one.
 */
function serve(codes: ReadonlyMap<string, string>, blobs: ReadonlyMap<string, Uint8Array>): Promise<Server> {
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? '/');
    const [code, blob] = [codes.get(path), blobs.get(path.replace('/blob/', ''))];
    const type = code !== undefined ? 'text/javascript' : blob ? 'application/octet-stream' : 'text/html';
    response.setHeader('content-type', type).end(code ?? blob ?? '<!doctype html><title>bench</title>');
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', () => resolve(server));
  });
}

/** Tells how far a benchmark is, where `BENCH_VERBOSE` is set. */
export function progress(message: string): void {
  if (process.env.BENCH_VERBOSE) console.error(`${(performance.now() / 1000).toFixed(0)} s: ${message}`);
}

/** Calls an exported function of one of the page's bundles. */
export function callPage<T>(page: Page, bundle: string, name: string, ...args: readonly unknown[]): Promise<T> {
  return page.evaluate(async ([from, called, given]) => (await import(`/${from}.js` as string))[called](...given), [bundle, name, args] as const) as Promise<T>;
}

async function codeOf({ entry, alias = {}, changes = [] }: Bundle): Promise<string> {
  const seen = new Set<number>();
  const change: Plugin = {
    name: 'changes',
    transform(code, id) {
      let changed = code;
      for (const [index, { path, from, to }] of changes.entries()) {
        if (!id.includes(path)) continue;
        if (changed.split(from).length !== 2) throw new Error(`${path} does not have once: ${from}`);
        changed = changed.replace(from, to);
        seen.add(index);
      }
      return changed === code ? null : { code: changed, map: null };
    },
  };
  const built = await build({
    configFile: false,
    logLevel: 'error',
    plugins: [change],
    resolve: { alias: Object.entries(alias).map(([find, replacement]) => ({ find: new RegExp(`^${find}(?=$|/)`), replacement })) },
    build: { write: false, target: 'es2023', lib: { entry: fileURLToPath(entry), formats: ['es'] } },
  });
  if (seen.size !== changes.length) throw new Error(`not all sources to be changed are in ${entry.pathname}`);
  const output = (Array.isArray(built) ? built[0] : built) as { output: { code: string }[] };
  return output.output[0]?.code ?? '';
}
