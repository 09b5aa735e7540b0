import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright';
import { build } from 'vite';
import type { ExampleView } from '../../shared/schemas.ts';

/** How soon a file that is dropped on the Submit page is seen, beside three.js in a page that does nothing else. */

const ROUNDS = 7;
const SHOWN_MS_MAX = 60_000;
const VIEWPORT = { width: 1280, height: 800 };

interface Example {
  readonly title: string;
  readonly name: string;
  readonly base64: string;
  readonly bytes: number;
}

/** The largest file of the examples. */
async function largestExample(origin: string): Promise<Example> {
  const { examples } = (await (await fetch(`${origin}/api/examples`)).json()) as { examples: ExampleView[] };
  const files = examples.flatMap(({ workload, id, title, files }) =>
    files.map(({ name, bytes }) => ({ title, bytes, path: `${workload}/${id}/files/${name}` })),
  );
  const [largest] = files.sort((a, b) => b.bytes - a.bytes);
  if (!largest) throw new Error('no example has a file');
  const { title, bytes, path } = largest;
  const body = Buffer.from(await (await fetch(`${origin}/api/examples/${path}`)).arrayBuffer());
  if (body.subarray(0, 4).toString('latin1') !== 'glTF') throw new Error(`${path} is not a .glb`);
  return { title, name: 'example.glb', base64: body.toString('base64'), bytes };
}

/** Runs in the page before its scripts: notes when something was dropped, and the frame after `[data-preview=shown]` whose drawing the GPU has done. */
function noteShown(): void {
  let droppedMs = 0;
  let seen = false;
  addEventListener('drop', () => (droppedMs = performance.now()), { capture: true });
  new MutationObserver(() => {
    const canvas = document.querySelector<HTMLCanvasElement>('[data-preview=shown] canvas');
    if (!canvas || seen) return;
    seen = true;
    // Reading waits for the GPU, where a frame alone would not.
    requestAnimationFrame(() => void createImageBitmap(canvas).then(() => Object.assign(window, { shownMs: performance.now() - droppedMs })));
  }).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ['data-preview'] });
}

function drop({ name, base64 }: Example): void {
  const data = new DataTransfer();
  data.items.add(new File([Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))], name));
  for (const type of ['dragenter', 'dragover', 'drop'])
    document.body.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
}

/** Seconds from the drop to the picture, in a browser that has cached nothing of the page. */
async function secondsOf(browser: Browser, url: string, ready: (page: Page) => Promise<unknown>, file: Example): Promise<number> {
  const context = await browser.newContext({ viewport: VIEWPORT });
  try {
    const page = await context.newPage();
    await page.addInitScript(noteShown);
    await page.goto(url, { waitUntil: 'networkidle' });
    await ready(page);
    await page.evaluate(drop, file);
    const shown = await page.waitForFunction(() => (window as unknown as { shownMs?: number }).shownMs ?? 0, undefined, { timeout: SHOWN_MS_MAX });
    return (await shown.jsonValue()) / 1000;
  } finally {
    await context.close();
  }
}

/** A canvas as large as the page, and the peer's script, which is fetched at the drop as ours is. */
const peerPage = `<!doctype html><meta charset="utf-8"><title>three.js</title><div id="frame"><canvas width="${VIEWPORT.width}" height="${VIEWPORT.height}"></canvas></div>
<script type="module">
addEventListener('dragover', (event) => event.preventDefault());
addEventListener('drop', async (event) => {
  event.preventDefault();
  const [file] = event.dataTransfer.files;
  const { show } = await import('./viewer.js');
  await show(document.querySelector('canvas'), file);
  document.querySelector('#frame').dataset.preview = 'shown';
});
</script>`;

async function servePeer(): Promise<{ url: string; close(): void }> {
  const entry = join(import.meta.dirname, 'bareViewer.ts');
  const made = await build({ configFile: false, logLevel: 'warn', build: { target: 'es2023', write: false, minify: true, lib: { entry, formats: ['es'] } } });
  const [bundle] = [made].flat();
  if (!bundle || !('output' in bundle)) throw new Error('bareViewer.ts was not bundled');
  const { code } = bundle.output[0];
  const server = createServer((request, response) => {
    const isScript = request.url === '/viewer.js';
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html; charset=utf-8').end(isScript ? code : peerPage);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://localhost:${(server.address() as AddressInfo).port}/`, close: () => server.close() };
}

/** `local`: the coordinator under a name that every resolver knows. */
export async function droppingOf(browser: Browser, url: string, local: string) {
  const file = await largestExample(local);
  const peer = await servePeer();
  const [ours, theirs]: [number[], number[]] = [[], []];
  try {
    // By turns, so that what else the machine does weighs on both alike. The first round warms files up, and is not counted.
    for (let round = 0; round <= ROUNDS; round++) {
      const seconds = await secondsOf(browser, `${url}/submit`, (page) => page.getByText('Drop a .glb anywhere').waitFor(), file);
      const peerSeconds = await secondsOf(browser, peer.url, (page) => page.locator('canvas').waitFor(), file);
      if (round === 0) continue;
      ours.push(seconds);
      theirs.push(peerSeconds);
    }
  } finally {
    peer.close();
  }
  for (const list of [ours, theirs]) list.sort((a, b) => a - b);
  const middle = Math.floor(ROUNDS / 2);
  const spread = (list: readonly number[]): string => `${list[0]!.toFixed(2)} to ${list.at(-1)!.toFixed(2)} s`;
  return {
    figures: { drop_to_preview_s: ours[middle]!, drop_to_preview_three_s: theirs[middle]! },
    notes: [
      `drop_to_preview_s: from the drop event of "${file.title}" (${file.bytes} bytes, the largest of the examples) on /submit to the frame that shows the scene, its pixels read back, in a browser that holds nothing of the preview: it fetches three.js from this machine, reads the file in a worker, lights and draws it. Median of ${ROUNDS}, ${spread(ours)}. drop_to_preview_three_s: three.js with its own GLTFLoader in an empty page, one light, by turns in the same browser, ${spread(theirs)}. WebGL in software on the processor. Left out: the network, reading the file from a disk. It could be gamed by drawing something else first; e2e/submit.test.ts looks at what is drawn.`,
    ],
  };
}
