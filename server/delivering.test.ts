import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DAY_MS, HOUR_MS, limits, MINUTE_MS, SECOND_MS } from '../shared/limits.ts';
import { isSigned, Receiver } from './delivering.testing.ts';
import { Delivering, retryMsAfter } from './delivering.ts';
import { ask, type OutboundOptions } from './outbound.ts';
import { openSqliteStore } from './store/sqlite.ts';
import type { Store } from './store/store.ts';
import { device, exampleJob, jobIdOf, temporaryFolder } from './store/testing.ts';
import type { StoredDelivery, StoredWebhook } from './store/webhooks.ts';

const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const summary = {
  parts: { total: 4, accepted: 4, checking: 0, leased: 0 },
  contributors: 1,
  checksDone: { cpu: 0, trusted: 0, contributor: 0, refuted: 0, revoked: 0, errorBound: 0 },
  paidMicroCredits: '0',
};

let folder: ReturnType<typeof temporaryFolder>;
let store: Store;
let receiver: Receiver;
let delivering: Delivering;
let now: number;
let jobs: number;

function make(options: OutboundOptions = { allowsLocal: true }, msMax?: number): Delivering {
  return new Delivering({
    store,
    ask: (url, request, { signal }) => ask(url, { ...request, msMax: msMax ?? request.msMax }, { ...options, signal }),
    clock: () => now,
    randomBytes,
    log: { error: (fields, message) => expect.fail(`${message} ${JSON.stringify(fields)}`) },
  });
}

beforeEach(async () => {
  now = Date.UTC(2026, 0, 1);
  jobs = 0;
  folder = temporaryFolder();
  store = await openSqliteStore(folder.path);
  receiver = await Receiver.listen();
  delivering = make();
});
afterEach(async () => {
  await delivering.close();
  receiver.close();
  await store.close();
  folder.remove();
});

async function webhook(id: string, url: string, own: Partial<StoredWebhook> = {}): Promise<void> {
  const state = { failures: 0, failingSinceMs: null, disabled: null };
  const events = ['job.done'] as const;
  await store.webhooks.create({ id, owner: device('ada'), url, host: new URL(url).hostname, events, secret, createdMs: now, ...state, ...own });
}

/** A job of Ada's is done. */
async function jobDone(): Promise<void> {
  const id = jobIdOf(++jobs);
  await store.jobs.create(exampleJob({ id }), []);
  await store.commit([{ kind: 'jobEnded', id, status: 'done', atMs: now, summary }]);
}

const last = async (id = 'wh_1'): Promise<StoredDelivery> => (await store.webhooks.deliveries(id, { limit: 1 }))![0]!;

/** Sends what is due, until the last delivery was tried so often. */
async function attempted(attempts: number, id = 'wh_1'): Promise<StoredDelivery> {
  delivering.wake();
  await expect.poll(async () => (await last(id)).attempts, { timeout: 5000 }).toBe(attempts);
  return last(id);
}

describe('a delivery', () => {
  it('is signed, says what happened, and is sent once', async () => {
    await webhook('wh_1', receiver.url());
    await jobDone();
    expect(await attempted(1)).toMatchObject({ status: 204, error: null, nextMs: null, deliveredMs: now, type: 'job.done', job: jobIdOf(1) });
    const [got] = receiver.got;
    expect(isSigned(got!, secret)).toBe(true);
    expect(isSigned({ ...got!, text: `${got!.text} ` }, secret)).toBe(false);
    expect([got!.id, got!.timestampS]).toEqual([(await last()).id, now / SECOND_MS]);
    const job = { id: jobIdOf(1), title: 'Kitchen at dusk', status: 'done', parts: summary.parts };
    expect(got!.body).toEqual({ type: 'job.done', timestamp: '2026-01-01T00:00:00.000Z', data: { job } });
    now += DAY_MS;
    delivering.wake();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(receiver.got).toHaveLength(1);
  });

  it('that fails is tried again, later each time, under the same id, until it is taken', async () => {
    await webhook('wh_1', receiver.url());
    receiver.answer = (response) => void response.writeHead(500).end();
    await jobDone();
    let attempts = 1;
    for (const base of [10 * SECOND_MS, 30 * SECOND_MS, 90 * SECOND_MS]) {
      const { nextMs, error, status } = await attempted(attempts++);
      expect([status, error]).toEqual([500, 'It answered with status 500; any of 200 to 299 takes a delivery.']);
      expect(nextMs! - now).toBeGreaterThanOrEqual(0.75 * base);
      expect(nextMs! - now).toBeLessThanOrEqual(1.25 * base);
      now = nextMs! - 1;
      delivering.wake();
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(receiver.got).toHaveLength(attempts - 1);
      now++;
    }
    receiver.answer = (response) => void response.writeHead(200).end('thank you');
    expect(await attempted(4)).toMatchObject({ status: 200, error: null, nextMs: null, deliveredMs: now });
    expect(new Set(receiver.got.map(({ id }) => id)).size).toBe(1);
    expect(receiver.got.every((got) => isSigned(got, secret))).toBe(true);
    expect(new Set(receiver.got.map(({ timestampS }) => timestampS)).size).toBe(4);
    expect(await store.webhooks.get('wh_1')).toMatchObject({ failures: 0, failingSinceMs: null });
  });

  it('is given up after a day', async () => {
    await webhook('wh_1', receiver.url());
    receiver.answer = (response) => void response.writeHead(500).end();
    await jobDone();
    const began = now;
    let attempts = 0;
    for (let next: number | null = now; next !== null; next = (await attempted(++attempts)).nextMs) now = next;
    expect(attempts).toBeGreaterThanOrEqual(9);
    expect(attempts).toBeLessThanOrEqual(13);
    expect(now - began).toBeLessThanOrEqual(DAY_MS);
    expect(now - began).toBeGreaterThan(DAY_MS - 8 * HOUR_MS);
    expect(await last()).toMatchObject({ attempts, nextMs: null, deliveredMs: null });
  });

  it('waits at most 7.5 h and never less than 7.5 s', () => {
    for (let attempts = 1; attempts < 100; attempts++)
      for (const chance of [0, 0.5, 1]) {
        expect(retryMsAfter(attempts, chance)).toBeGreaterThanOrEqual(7.5 * SECOND_MS);
        expect(retryMsAfter(attempts, chance)).toBeLessThanOrEqual(7.5 * HOUR_MS);
      }
  });

  it('follows no redirect', async () => {
    await webhook('wh_1', receiver.url());
    receiver.answer = (response) => void response.writeHead(307, { location: '/elsewhere' }).end();
    await jobDone();
    expect(await attempted(1)).toMatchObject({ status: 307, error: 'It answered with status 307; redirects are not followed.' });
    expect(receiver.strays).toEqual([]);
  });

  it('counts as taken by its status, however much is answered', async () => {
    await webhook('wh_1', receiver.url());
    let written = 0;
    receiver.answer = (response) => {
      const more = (): void => {
        written += 1000;
        if (response.write('x'.repeat(1000))) setImmediate(more);
        else response.once('drain', more);
      };
      more();
    };
    await jobDone();
    expect(await attempted(1)).toMatchObject({ status: 200, error: null, deliveredMs: now });
    await expect.poll(() => receiver.open).toBe(0);
    expect(written).toBeLessThan(50e6);
  });

  it.each([
    ['a private address', '10.0.0.1'],
    ['an address of IPv4 inside IPv6', '::ffff:127.0.0.1'],
    ['the machine itself', '127.0.0.1'],
    ['the cloud’s own service', '169.254.169.254'],
  ])('to a name that leads to %s is not sent', async (_what, address) => {
    await delivering.close();
    delivering = make({ resolve: async () => [{ address, family: address.includes(':') ? 6 : 4 }] });
    await webhook('wh_1', receiver.url('hooks.example').replace('http:', 'https:'));
    await jobDone();
    expect((await attempted(1)).error).toBe('The name hooks.example leads to an address that is not public.');
    expect(receiver.got).toEqual([]);
  });

  it('is judged by where the name leads each time: one that turns to our machine is not followed there', async () => {
    await delivering.close();
    const leads = ['8.8.8.8', '127.0.0.1'];
    delivering = make({ resolve: async () => [{ address: leads.shift() ?? '127.0.0.1', family: 4 }] }, 100);
    await webhook('wh_1', receiver.url('hooks.example').replace('http:', 'https:'));
    await jobDone();
    const { nextMs, error } = await attempted(1);
    expect(error).toMatch(/did not answer|could not be reached/);
    now = nextMs!;
    expect((await attempted(2)).error).toContain('not public');
    expect(receiver.got).toEqual([]);
  });
});

describe('receivers', () => {
  it('that are slow hold up nobody else, and are asked twice at a time', async () => {
    await webhook('wh_1', receiver.url('slow.localhost'));
    await webhook('wh_2', receiver.url('quick.localhost'));
    receiver.answer = (response) => void (response.req.headers.host?.startsWith('slow') || response.writeHead(204).end());
    for (let each = 0; each < 30; each++) await jobDone();
    delivering.wake();
    const quick = async (): Promise<number> => (await store.webhooks.deliveries('wh_2', { limit: 100 }))!.filter(({ status }) => status === 204).length;
    await expect.poll(quick, { timeout: 5000 }).toBe(30);
    expect((await store.webhooks.deliveries('wh_1', { limit: 100 }))!.map(({ attempts }) => attempts)).toEqual(Array.from({ length: 30 }, () => 0));
    expect(receiver.open).toBe(limits.webhookAttemptsPerHostMax);
    expect(receiver.openMost).toBeLessThanOrEqual(2 * limits.webhookAttemptsPerHostMax);
    // Neither do they hold up the end, and what was under way counts as not tried.
    const began = performance.now();
    await delivering.close();
    expect(performance.now() - began).toBeLessThan(1000);
    expect(await store.webhooks.get('wh_1')).toMatchObject({ failures: 0 });
    expect(await store.webhooks.due(now, { deliveries: [], hosts: [] }, 100)).toHaveLength(30);
  });

  it('are few at a time in all', async () => {
    for (let each = 0; each < limits.webhooksPerOwnerMax; each++) await webhook(`wh_${each}`, receiver.url(`h${each}.localhost`));
    receiver.answer = () => undefined;
    for (let each = 0; each < 3; each++) await jobDone();
    delivering.wake();
    await expect.poll(() => receiver.open).toBe(limits.webhookAttemptsMax);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(receiver.openMost).toBe(limits.webhookAttemptsMax);
  });

  it('that never answer have failed in time', async () => {
    await delivering.close();
    delivering = make({ allowsLocal: true }, 100);
    await webhook('wh_1', receiver.url());
    receiver.answer = (response) => void response.write('slowly');
    await jobDone();
    expect((await attempted(1)).error).toContain('did not answer within 0.1 s');
  });

  it('that want nothing more are left alone, with the reason', async () => {
    await webhook('wh_1', receiver.url());
    receiver.answer = (response) => void response.writeHead(410).end();
    await jobDone();
    await attempted(1);
    expect(await store.webhooks.get('wh_1')).toMatchObject({ disabled: { sinceMs: now, reason: 'It answered with status 410: it wants nothing more.' } });
    await jobDone();
    expect(await store.webhooks.deliveries('wh_1', { limit: 10 })).toHaveLength(1);
  });

  it('that fail many times in a row are disabled, but by no outage of some hours; a test that is taken enables them', async () => {
    await webhook('wh_1', receiver.url());
    receiver.answer = (response) => void response.writeHead(503).end();
    for (let each = 0; each < limits.webhookFailuresMax + 5; each++) await jobDone();
    delivering.wake();
    const failures = async (): Promise<number> => (await store.webhooks.get('wh_1'))!.failures;
    await expect.poll(failures, { timeout: 5000 }).toBe(limits.webhookFailuresMax + 5);
    expect((await store.webhooks.get('wh_1'))!.disabled).toBeNull();

    now += limits.webhookFailingMsMax;
    await jobDone();
    delivering.wake();
    await expect
      .poll(async () => (await store.webhooks.get('wh_1'))!.disabled?.reason, { timeout: 5000 })
      .toMatch(/^\d+ attempts in a row failed. The last: .*503/);
    await expect.poll(() => receiver.open).toBe(0);
    expect(await store.webhooks.due(now + 10 * DAY_MS, { deliveries: [], hosts: [] }, 100)).toEqual([]);

    receiver.answer = (response) => void response.writeHead(200).end();
    const { webhook: of, ...delivery } = await last();
    const test = { ...delivery, webhook: of, id: 'msg_test', type: 'webhook.test', job: null, url: receiver.url(), host: 'localhost', secret };
    expect(await delivering.test(test)).toMatchObject({ status: 200, deliveredMs: now });
    expect(await store.webhooks.get('wh_1')).toMatchObject({ failures: 0, disabled: null });
    expect(await last()).toMatchObject({ id: 'msg_test', attempts: 1, nextMs: null });
  });

  it('that were removed meanwhile get nothing more', async () => {
    await webhook('wh_1', receiver.url());
    receiver.answer = (response) => setTimeout(() => response.writeHead(500).end(), 50);
    await jobDone();
    delivering.wake();
    await expect.poll(() => receiver.open).toBe(1);
    await store.webhooks.remove('wh_1');
    await expect.poll(() => receiver.open).toBe(0);
    now += MINUTE_MS;
    await jobDone();
    delivering.wake();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(receiver.got).toHaveLength(1);
  });
});

it('killed between a commit and its delivery, every end that was acknowledged is told, at least once', { timeout: 30_000 }, async () => {
  await webhook('wh_1', receiver.url());
  receiver.answer = (response) => setTimeout(() => response.writeHead(204).end(), 2);
  await store.close();
  let next = 0;
  const told = (): Set<string | undefined> => new Set(receiver.got.map(({ body }) => body.data.job?.id));
  let neverTold = 0;
  for (const commits of [7, 25, 13]) {
    const child = spawn(execPath, [join(import.meta.dirname, 'delivering.writer.ts'), folder.path, String(next)], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = new Promise<NodeJS.Signals | null>((resolve) => child.once('exit', (_code, signal) => resolve(signal)));
    let count = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      next = Number(line) + 2;
      if (++count === commits) child.kill('SIGKILL');
    }
    expect(await ended).toBe('SIGKILL');
    store = await openSqliteStore(folder.path);
    now = Date.now();
    neverTold += (await store.webhooks.due(now, { deliveries: [], hosts: [] }, 1000)).length;
    delivering = make();
    delivering.wake();
    await expect.poll(async () => (await store.webhooks.due(now, { deliveries: [], hosts: [] }, 1000)).length, { timeout: 5000 }).toBe(0);
    await delivering.close();
    const done = (await store.jobs.list({ status: 'done', limit: 1000 })).map(({ id }) => id);
    expect(done.length).toBeGreaterThanOrEqual(commits);
    expect([...told()].sort()).toEqual(done.sort());
    await store.close();
  }
  // Else nothing was killed in between.
  expect(neverTold).toBeGreaterThan(0);
  expect(receiver.got.every((got) => isSigned(got, secret))).toBe(true);
  store = await openSqliteStore(folder.path);
});
