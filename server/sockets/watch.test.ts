import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { io, type Socket } from 'socket.io-client';
import parser from 'socket.io-msgpack-parser';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Ack, namespaces } from '../../shared/protocol.ts';
import type { AccountView, Challenge, JobView } from '../../shared/schemas.ts';
import { audit } from '../audit.ts';
import { readConfig } from '../config.ts';
import { TestWallet } from '../solana.testing.ts';
import { order, whole } from '../whole.testing.ts';
import { createSockets } from './connect.ts';
import { serveViewers } from './watch.ts';

/** Connections that outlive the session they began with: over real HTTP and real sockets, with the whole coordinator. */

beforeAll(() => whole.open(), 30_000);
const sockets: Socket[] = [];
afterAll(async () => {
  for (const socket of sockets) socket.disconnect();
  await whole.close();
});

async function connected(url: string, cookie: string): Promise<Socket> {
  const options = { transports: ['websocket'], parser, reconnectionDelay: 50, reconnectionDelayMax: 50, forceNew: true, extraHeaders: { cookie } };
  const socket = io(url + namespaces.watch, options);
  sockets.push(socket);
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('connect_error', reject);
  });
  return socket;
}

/** A page of a browser: a socket that connects again by itself, and what it heard of jobs. */
class Page {
  readonly heard: string[] = [];
  /** How often it has lost its connection, and why the last time. */
  lost = 0;
  readonly socket: Socket;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('disconnect', () => void this.lost++);
    socket.onAny((name: string) => this.heard.push(name));
  }

  static async open({ cookie }: Browser): Promise<Page> {
    return new Page(await connected(whole.url, cookie));
  }

  async watch(job: string): Promise<string> {
    const ack = (await this.socket.timeout(5000).emitWithAck('watch', { job })) as Ack<unknown>;
    return 'error' in ack ? ack.error.code : 'watches';
  }
}

class Browser {
  cookie = '';

  async call<T>(method: string, path: string, body?: object): Promise<T> {
    const headers = { cookie: this.cookie, ...(body && { 'content-type': 'application/json' }) };
    const response = await fetch(whole.url + path, { method, headers, ...(body && { body: JSON.stringify(body) }) });
    expect(response.status, path).toBeLessThan(300);
    this.cookie = response.headers.get('set-cookie')?.split(';')[0] ?? this.cookie;
    return (await response.json()) as T;
  }

  static async start(): Promise<Browser> {
    const browser = new Browser();
    await browser.call('POST', '/api/session', {});
    return browser;
  }

  async signIn(wallet: TestWallet): Promise<void> {
    const { nonce, text } = await this.call<Challenge>('POST', '/api/account/challenge', { address: wallet.address });
    await this.call('POST', '/api/account/sign-in', wallet.answer(nonce, text));
  }

  async order(visibility: string): Promise<JobView> {
    const job = await this.call<JobView>('POST', '/api/jobs', { ...order, visibility: 'public' });
    return visibility === 'public' ? job : this.call<JobView>('POST', `/api/jobs/${job.id}/visibility`, { visibility });
  }
}

/** Two things happen with a job that all who watch it are told. Resolves when this one was told both. */
async function happens(job: JobView, by: Browser, witness: Page): Promise<void> {
  witness.heard.length = 0;
  await by.call('POST', `/api/jobs/${job.id}/pause`, {});
  await by.call('POST', `/api/jobs/${job.id}/resume`, {});
  await expect.poll(() => witness.heard).toEqual(['job:progress', 'job:progress']);
}

it('a wallet on two devices: who signs out on one hears nothing more there, the other is untouched', async () => {
  const wallet = new TestWallet();
  const [left, stays] = [await Browser.start(), await Browser.start()];
  const secret = await left.order('private');
  await left.signIn(wallet);
  await stays.signIn(wallet);
  const [page, other] = [await Page.open(left), await Page.open(stays)];
  expect([await page.watch(secret.id), await other.watch(secret.id)]).toEqual(['watches', 'watches']);
  await happens(secret, stays, page);

  page.heard.length = 0;
  await left.call('POST', '/api/account/sign-out', {});
  // The session is over when the answer is here: not a word after that.
  await happens(secret, stays, other);
  expect(page.heard).toEqual([]);
  expect([page.lost, other.lost]).toEqual([1, 0]);
  // It comes back by itself, with the cookie of before, and is nobody.
  await expect.poll(() => page.socket.connected).toBe(true);
  expect(await page.watch(secret.id)).toBe('not_found');
  await happens(secret, stays, other);
  expect([page.heard, other.lost]).toEqual([[], 0]);
}, 30_000);

it('signing in ends the session of the device, and everywhere ends all of an account', async () => {
  const wallet = new TestWallet();
  const [first, second, stranger] = [await Browser.start(), await Browser.start(), await Browser.start()];
  const secret = await first.order('private');
  const open = await stranger.order('public');
  const [device, theirs] = [await Page.open(first), await Page.open(stranger)];
  expect([await device.watch(secret.id), await theirs.watch(open.id)]).toEqual(['watches', 'watches']);
  await first.signIn(wallet);
  await second.signIn(wallet);
  await expect.poll(() => device.lost).toBe(1);

  const pages = [await Page.open(first), await Page.open(second)];
  for (const page of pages) expect(await page.watch(secret.id)).toBe('watches');
  expect((await first.call<AccountView>('POST', '/api/account/sign-out', { everywhere: true })).wallet).toBeNull();
  for (const page of pages) await expect.poll(() => page.lost).toBe(1);
  await happens(open, stranger, theirs);
  expect([theirs.lost, pages.flatMap(({ heard }) => heard)]).toEqual([0, []]);
}, 30_000);

it('the running coordinator audits its books, tells it to this machine, and to npm run audit', async () => {
  // After a start there is a proof at once.
  await whole.stop();
  await whole.start();
  const text = async (): Promise<string> => (await fetch(`${whole.url}/metrics`)).text();
  await expect.poll(text).toMatch(/^tessera_ledger_imbalance\{unit="test"\} 0$/m);
  expect(await text()).toMatch(/^tessera_jobs_open [1-9]/m);
  const lines: string[] = [];
  const config = readConfig({ DATA_DIR: whole.folder, PORT: new URL(whole.url).port });
  expect(await audit([], config, (line) => lines.push(line)), lines.join('\n')).toBe(0);
  expect(lines.join('\n')).toContain('tessera_ledger_wrong_accounts{unit="test"} 0');
});

it('a connection ends before a session could expire behind it, and its page comes back', async () => {
  const server = createServer();
  const space = createSockets(server, () => true);
  const nothing = { jobs: {} as never, watching: { add: () => undefined } as never, ownerOf: async () => undefined, log: { error: () => undefined } };
  serveViewers(space, { ...nothing, sessionOf: () => undefined, connectionMsMax: 100 });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const socket = await connected(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, '');
  const reason = await new Promise((resolve) => socket.once('disconnect', resolve));
  expect(reason).toBe('transport close');
  await expect.poll(() => socket.connected).toBe(true);
  socket.disconnect();
  await space.close();
});
