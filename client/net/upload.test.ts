import { createHash, randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { type Process, startServer } from '../bench/process.ts';
import { ApiError } from './api.ts';
import { upload } from './upload.ts';

/** Uploads of the pages against a real coordinator. Node has no cookies and no storage: the test keeps both, as a browser would. */

let server: Process;
let cookie: string;
const kept = new Map<string, string>();
/** Called before each request; may throw as a broken network does. */
let before: (method: string, path: string) => void = () => undefined;
const asked: string[] = [];

beforeAll(async () => {
  server = await startServer();
  const session = await fetch(`${server.url}/api/session`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' });
  cookie = session.headers.getSetCookie()[0]!.split(';')[0]!;
}, 60_000);
afterAll(() => server.close());

beforeEach(() => {
  kept.clear();
  asked.length = 0;
  before = () => undefined;
  vi.stubGlobal('location', { origin: server.url });
  vi.stubGlobal('localStorage', {
    getItem: (name: string) => kept.get(name) ?? null,
    setItem: (name: string, value: string) => void kept.set(name, value),
    removeItem: (name: string) => void kept.delete(name),
  });
  const real = fetch;
  vi.stubGlobal('fetch', async (url: URL, init: RequestInit) => {
    const { method = 'GET' } = init;
    asked.push(method);
    before(method, url.pathname);
    const headers = new Headers(init.headers);
    headers.set('cookie', cookie);
    return real(url, { ...init, headers });
  });
});
afterEach(() => vi.unstubAllGlobals());

const bytes = randomBytes(1_500_000);
const hash = createHash('sha256').update(bytes).digest('hex');
const file = () => new File([bytes], 'scene.glb', { lastModified: 7 });
const listeners = () => {
  const told: (number | string)[] = [];
  return { told, progress: (share: number) => void told.push(share), stalled: (why: ApiError | null) => void told.push(why?.code ?? 'goes on') };
};

test('it waits for the network, says so, and goes on', async () => {
  let left = 3;
  before = (method) => {
    if (method !== 'POST' && asked.length > 2 && left-- > 0) throw new TypeError('network');
  };
  const { told, ...heard } = listeners();
  expect(await upload(file(), heard, new AbortController().signal)).toEqual({ hash, bytes: bytes.byteLength });
  expect(told.filter((each) => each === 'offline')).toHaveLength(1);
  expect(told).toContain('goes on');
  expect(told.at(-1)).toBe(1);
  expect(kept.size).toBe(0);
});

test('after a reload the same file goes on where it was, another one does not', async () => {
  // The page is gone in the middle of it: nothing of it answers any more.
  const gone = new AbortController();
  before = (method) => {
    if (method === 'PATCH' && asked.filter((each) => each === 'PATCH').length > 1) gone.abort(new Error('the page is gone'));
    if (gone.signal.aborted) throw new TypeError('the page is gone');
  };
  await expect(upload(file(), listeners(), gone.signal)).rejects.toThrow('the page is gone');
  expect(kept.size).toBe(0);

  const address = await begin();
  const [place] = [...(await placesOf())];
  before = () => undefined;
  kept.set(place!, address);
  asked.length = 0;
  const { told, ...heard } = listeners();
  expect((await upload(file(), heard, new AbortController().signal)).hash).toBe(hash);
  expect([asked[0], told[0]]).toEqual(['HEAD', 500_000 / bytes.byteLength]);
  kept.set(place!, address);
  asked.length = 0;
  const other = new File([bytes], 'other.glb', { lastModified: 7 });
  expect((await upload(other, listeners(), new AbortController().signal)).hash).toBe(hash);
  expect(asked[0]).toBe('POST');
});

/** An upload of which the first third is here. */
async function begin(): Promise<string> {
  before = () => undefined;
  const tus = { 'tus-resumable': '1.0.0' };
  const made = await fetch(new URL('/api/uploads', server.url), { method: 'POST', headers: { ...tus, 'upload-length': String(bytes.byteLength) } });
  const address = new URL(made.headers.get('location')!, server.url);
  const headers = { ...tus, 'upload-offset': '0', 'content-type': 'application/offset+octet-stream' };
  await fetch(address, { method: 'PATCH', headers, body: bytes.subarray(0, 500_000) });
  return address.href;
}

/** Under which name the file's upload is kept: what is written when one begins. */
async function placesOf(): Promise<Set<string>> {
  const places = new Set<string>();
  const storage = localStorage;
  vi.stubGlobal('localStorage', { ...storage, getItem: () => null, setItem: (name: string) => void places.add(name), removeItem: () => undefined });
  await upload(file(), listeners(), new AbortController().signal);
  vi.stubGlobal('localStorage', storage);
  return places;
}

test('an upload that is not there any more begins anew', async () => {
  const [place] = [...(await placesOf())];
  kept.set(place!, `${server.url}/api/uploads/u_0123456789abcdef`);
  asked.length = 0;
  expect((await upload(file(), listeners(), new AbortController().signal)).hash).toBe(hash);
  expect(asked.slice(0, 2)).toEqual(['HEAD', 'POST']);
});

test('refusals are those of the pages', async () => {
  const large = { size: 65 * 1024 * 1024, name: 'x' } as File;
  await expect(upload(large, listeners(), new AbortController().signal)).rejects.toMatchObject({ code: 'too_large', limit: 'At most 64 MiB.' });
  cookie = 'tessera=none';
  const refused = upload(file(), listeners(), new AbortController().signal);
  await expect(refused).rejects.toBeInstanceOf(ApiError);
  await expect(refused).rejects.toMatchObject({ code: 'signed_out' });
});
