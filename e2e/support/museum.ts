import { createServer, type Server } from 'node:http';
import type { Frame, Page } from 'playwright';
import { freePort, type TestCoordinator } from './coordinator.ts';

const PROOF_PATH = '/.well-known/tessera-site.txt';

export interface MuseumPage {
  readonly html: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A web server on another site than the coordinator's: `site.localhost` and `app.localhost` are two sites to a browser; two ports of one name would not be. */
export class Museum {
  readonly #server: Server;
  readonly #port: number;
  /** What its domain shows to prove whose it is. */
  proof: string | null = null;
  readonly pages = new Map<string, MuseumPage>();

  private constructor(port: number) {
    this.#port = port;
    this.#server = createServer((request, response) => {
      const page = this.pages.get(request.url ?? '');
      if (request.url === PROOF_PATH && this.proof !== null) return response.setHeader('content-type', 'text/plain').end(`${this.proof}\n`);
      if (request.url === '/favicon.ico') return response.writeHead(204).end();
      if (!page) return response.writeHead(404).end();
      response.setHeader('content-type', 'text/html; charset=utf-8');
      for (const [name, value] of Object.entries(page.headers ?? {})) response.setHeader(name, value);
      return response.end(`<!doctype html><title>Museum</title>${page.html}`);
    });
  }

  static async open(): Promise<Museum> {
    const port = await freePort();
    const museum = new Museum(port);
    await new Promise<void>((resolve) => museum.#server.listen(port, '127.0.0.1', resolve));
    return museum;
  }

  url(host = 'site.localhost'): string {
    return `http://${host}:${this.#port}`;
  }

  close(): void {
    this.#server.close();
  }
}

/** The owner registers the museum, proves its domain, and copies the lines that the page shows. */
export async function registerSite(page: Page, coordinator: TestCoordinator, museum: Museum, sharePercent: number): Promise<{ id: string; snippet: string }> {
  await page.goto(`${coordinator.url}/account`);
  await page.getByLabel('Name of the site').fill('Museum of small things');
  await page.getByLabel('Origin').fill(museum.url());
  await page.getByLabel('Your share, %').fill(String(sharePercent));
  await page.getByRole('button', { name: 'Register site' }).click();
  const site = page.getByRole('article', { name: 'Museum of small things' });
  await site.getByText('Waits for proof').waitFor();
  const check = site.getByRole('button', { name: 'Check' });
  await check.click();
  await site.getByText('status 404').waitFor();
  museum.proof = await site.locator('pre').first().innerText();
  await check.click();
  await site.getByText('On: visitors can help.').waitFor();
  await site.frameLocator('iframe').getByRole('button', { name: 'Help' }).waitFor();
  const snippet = await site.locator('.snippet').innerText();
  return { id: /site="([^"]+)"/.exec(snippet)?.[1] ?? '', snippet };
}

export const cardIn = (page: Page, coordinator: TestCoordinator): Frame | undefined =>
  page.frames().find((frame) => frame.url().startsWith(`${coordinator.url}/widget/frame`));
