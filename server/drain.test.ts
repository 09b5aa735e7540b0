import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { request as ask, type ClientRequest, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { limits } from '../shared/limits.ts';
import type { Lease } from '../shared/protocol.ts';
import type { ContributorView, JobView } from '../shared/schemas.ts';
import { writeBackupRequest } from './backup-request.ts';
import { temporaryFolder } from './store/testing.ts';
import { Contributor, order, requester, whole } from './whole.testing.ts';

/** The real process, ended by SIGTERM while something is under way. */

let folder: ReturnType<typeof temporaryFolder>;
let child: ChildProcess;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => {
  child.kill('SIGKILL');
  folder.remove();
});

async function start(): Promise<void> {
  const env = { ...process.env, HOST: '127.0.0.1', PORT: '0', DATA_DIR: folder.path, GALLERY: 'off', LOG_LEVEL: 'silent', PUBLIC_ORIGIN: '' };
  child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts')], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const url = () => /ready: (http:\S+)/.exec(said)?.[1];
  await vi.waitFor(() => expect(url()).toBeDefined(), { timeout: 60_000, interval: 50 });
  whole.at(url()!);
}

/** An upload whose first half has come. */
async function halfUpload(cookie: string): Promise<ClientRequest> {
  const headers = { cookie, 'content-type': 'application/octet-stream', 'content-length': '8' };
  const upload = ask(`${whole.url}/api/uploads`, { method: 'POST', headers });
  upload.on('error', () => undefined);
  upload.write('half');
  await vi.waitFor(async () => expect(await underWay()).toBeGreaterThan(1), { timeout: 10_000 });
  return upload;
}

async function underWay(): Promise<number> {
  return Number(/^tessera_under_way (\d+)$/m.exec(await (await fetch(`${whole.url}/metrics`)).text())?.[1]);
}

async function cookieOf(): Promise<string> {
  const response = await fetch(`${whole.url}/api/session`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' });
  return response.headers.get('set-cookie')?.split(';')[0] ?? '';
}

test('what is under way is finished and acknowledged, nothing new is begun, and what was acknowledged is there after the next start', async () => {
  await start();
  const { body: job } = await (await requester()).call<JobView>('POST', '/api/jobs', order);
  const contributor = await Contributor.join();
  const [lease] = (await contributor.lease()) as [Lease];
  const made = await contributor.compute(lease);
  const upload = await halfUpload(await cookieOf());
  const events = await fetch(`${whole.url}/api/jobs/${job.id}/events`);
  const exited = once(child, 'exit');
  const beganMs = performance.now();
  child.kill('SIGTERM');

  await vi.waitFor(async () => expect((await fetch(`${whole.url}/readyz`)).status).toBe(503), { timeout: 10_000 });
  expect((await events.text()).startsWith('retry:')).toBe(true);
  expect(await contributor.raw('work', { leasesMax: 1 })).toMatchObject({ error: { code: 'busy', retryMs: expect.any(Number) } });
  expect(await contributor.handIn(lease, made, { leasesMax: 1 })).toMatchObject({
    data: { stored: true, work: { leases: [], audits: [], retryMs: expect.any(Number) } },
  });
  const answered = once(upload, 'response') as Promise<[IncomingMessage]>;
  upload.end('half');
  expect((await answered)[0].statusCode).toBe(200);
  expect(await exited).toEqual([0, null]);
  expect(performance.now() - beganMs).toBeLessThan(limits.drainMsMax);

  await start();
  const { id, secret } = contributor.grant.contributor;
  const me = await fetch(`${whole.url}/api/contributors/me`, { headers: { authorization: `Contributor ${id}.${secret}` } });
  expect(((await me.json()) as ContributorView).recent).toHaveLength(1);
}, 120_000);

test('what a reader has cut off is under way no more', async () => {
  await start();
  const { body: job } = await (await requester()).call<JobView>('POST', '/api/jobs', order);
  // An answer that goes on: the job's events, and the copy of a backup.
  const readers = [new AbortController(), new AbortController()];
  await fetch(`${whole.url}/api/jobs/${job.id}/events`, { signal: readers[0]!.signal });
  const secret = 'x'.repeat(40);
  writeBackupRequest(folder.path, secret, Date.now());
  const asked = { method: 'POST', headers: { authorization: `Backup ${secret}` }, signal: readers[1]!.signal };
  expect((await fetch(`${whole.url.replace('127.0.0.1', 'localhost')}/backup`, asked)).status).toBe(200);
  await vi.waitFor(async () => expect(await underWay()).toBe(3), { timeout: 10_000 });
  for (const reader of readers) reader.abort();
  // The question itself.
  await vi.waitFor(async () => expect(await underWay()).toBe(1), { timeout: 10_000 });
}, 120_000);

test('a second signal ends it at once', async () => {
  await start();
  await halfUpload(await cookieOf());
  const exited = once(child, 'exit');
  const beganMs = performance.now();
  child.kill('SIGTERM');
  await vi.waitFor(async () => expect((await fetch(`${whole.url}/readyz`)).status).toBe(503), { timeout: 10_000 });
  await new Promise((resolve) => setTimeout(resolve, 700));
  child.kill('SIGTERM');
  expect(await exited).toEqual([1, null]);
  expect(performance.now() - beganMs).toBeLessThan(limits.drainMsMax / 2);
}, 120_000);
