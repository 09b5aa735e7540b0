import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright';
import { build } from 'vite';
import { fromBase64Url, wordsOf } from '../../../../shared/formats.ts';
import type { ElementRef } from '../../../../shared/model.ts';
import type { RenderJob } from '../../params.ts';
import { ELEMENT_WORDS } from '../../spec.ts';
import type { RoundingName } from './pushedKernel.ts';

/**
 * Devices that compute honestly: the kernel in headless Chromium, as it is and with other rounding. `CHROMIUM_PATH` names a browser;
 * `CHROMIUM_FLAGS` replaces the flags that select the software GPU, so that a machine with a real one measures that, through Vulkan or
 * with `--use-webgpu-adapter=opengles` through OpenGL ES.
 */
export interface Devices {
  /** For people: the adapter and the browser. */
  readonly name: string;
  /** What such a device claims: `elementWords` u32 for each element, in order. */
  claim(scene: string, job: RenderJob, rounding: RoundingName, elements: readonly ElementRef[]): Promise<Uint32Array>;
  close(): Promise<void>;
}

const SOFTWARE_FLAGS =
  '--no-sandbox --enable-unsafe-webgpu --use-webgpu-adapter=swiftshader --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync';
/** A page at localhost is a secure context; Playwright answers its requests, so nothing listens there. */
const ORIGIN = 'http://localhost:9';

/** `scenes`: packed scenes by name. Throws where no Chromium with WebGPU is found. */
export async function openDevices(scenes: ReadonlyMap<string, Uint8Array<ArrayBuffer>>): Promise<Devices> {
  const executablePath = [process.env.CHROMIUM_PATH, chromium.executablePath(), '/usr/bin/chromium'].find((path) => path && existsSync(path));
  const args = (process.env.CHROMIUM_FLAGS ?? SOFTWARE_FLAGS).split(' ');
  const browser = await chromium.launch({ ...(executablePath ? { executablePath } : {}), args });
  try {
    const page = await browser.newPage();
    const code = await bundle();
    await page.route(`${ORIGIN}/**`, async (route) => {
      const { pathname } = new URL(route.request().url());
      const scene = scenes.get(pathname.replace('/scene/', ''));
      if (pathname === '/devices.js') await route.fulfill({ contentType: 'text/javascript', body: code });
      else if (scene) await route.fulfill({ contentType: 'application/octet-stream', body: Buffer.from(scene) });
      else await route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>devices</title>' });
    });
    await page.goto(`${ORIGIN}/`);
    const { name, software } = await page.evaluate(async () => (await import('/devices.js' as string)).adapterInfo());
    return {
      name: `${name}${software ? ' (software)' : ''} in Chromium ${browser.version()}`,
      async claim(scene, job, rounding, elements) {
        const words: string = await page.evaluate(
          async ([sceneName, sceneJob, roundingName, refs]) => (await import('/devices.js' as string)).recompute(sceneName, sceneJob, roundingName, refs),
          [scene, job, rounding, elements] as const,
        );
        return wordsOf(fromBase64Url(words), elements.length * ELEMENT_WORDS);
      },
      close: () => browser.close(),
    };
  } catch (error) {
    await browser.close();
    throw error;
  }
}

async function bundle(): Promise<string> {
  const entry = fileURLToPath(new URL('./devicePage.ts', import.meta.url));
  const built = await build({ configFile: false, logLevel: 'error', build: { write: false, target: 'es2023', lib: { entry, formats: ['es'] } } });
  const output = (Array.isArray(built) ? built[0] : built) as { output: { code: string }[] };
  return output.output[0]?.code ?? '';
}
