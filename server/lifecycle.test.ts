import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { io, type Socket } from 'socket.io-client';
import parser from 'socket.io-msgpack-parser';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { workload, workloadIds } from '../shaders/registry.ts';
import { commitParts, saltOf } from '../shared/commitment.ts';
import { encodeResult, toHex } from '../shared/formats.ts';
import { limits } from '../shared/limits.ts';
import { type Ack, type HandedIn, type JobBrief, namespaces, PROTOCOL_VERSION, type Work } from '../shared/protocol.ts';
import { type Receipt, receiptProblems } from '../shared/receipt.ts';
import type { AcceptedView, AccountView, ConsentGrant, ExtensionQuote, JobView, Problem } from '../shared/schemas.ts';
import { PatientLoad } from './load.testing.ts';
import { main } from './main.ts';
import { openSqliteStore } from './store/sqlite.ts';

/** What becomes of a job after it was ordered, over real HTTP and sockets; a contributor of the operator's computes on the CPU. */

const KEY = 'operator'.repeat(5);
const entry = workload(workloadIds[0]!)!;
const params = { scene: 'cornell', width: 32, height: 32, samples: 2, bounces: 1, lighting: 'auto' };
const order = { workload: entry.spec.id, params, files: {}, title: 'Box', visibility: 'public', seed: 11 };

let running: Awaited<ReturnType<typeof main>>;
let folder: string;

async function start(): Promise<void> {
  Object.assign(process.env, { HOST: '127.0.0.1', PORT: '0', DATA_DIR: folder, GALLERY: 'off', LOG_LEVEL: 'silent', PUBLIC_ORIGIN: '', VESTING_SECONDS: '1' });
  Object.assign(process.env, { TRUSTED_KEYS: KEY, RETENTION_DAYS: '2' });
  running = await main(new PatientLoad());
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tessera-lifecycle-'));
  await start();
}, 30_000);

afterAll(async () => {
  await running.close();
  const store = await openSqliteStore(folder);
  expect(await store.ledger.audit()).toMatchObject([{ unit: 'test', sum: 0n, wrongAccounts: 0 }]);
  await store.close();
  await rm(folder, { recursive: true, force: true });
  delete process.env.TRUSTED_KEYS;
  delete process.env.RETENTION_DAYS;
});

class Visitor {
  cookie = '';

  async call<T>(method: string, path: string, body?: unknown): Promise<{ status: number; body: T & Partial<Pick<Problem, 'field'>> }> {
    const headers = { cookie: this.cookie, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
    const response = await fetch(running.url + path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    this.cookie = response.headers.get('set-cookie')?.split(';')[0] ?? this.cookie;
    return { status: response.status, body: (await response.json().catch(() => ({}))) as T & Partial<Pick<Problem, 'field'>> };
  }

  static async start(): Promise<Visitor> {
    const visitor = new Visitor();
    await visitor.call('POST', '/api/session', {});
    return visitor;
  }

  async order(more: object = {}): Promise<JobView> {
    const { status, body } = await this.call<JobView>('POST', '/api/jobs', { ...order, ...more });
    expect(status).toBe(201);
    return body;
  }

  async job(id: string): Promise<JobView> {
    return (await this.call<JobView>('GET', `/api/jobs/${id}`)).body;
  }

  async file(id: string, output: string): Promise<Buffer> {
    const response = await fetch(`${running.url}/api/jobs/${id}/files/${output}`, { headers: { cookie: this.cookie } });
    expect(response.status).toBe(200);
    return Buffer.from(await response.arrayBuffer());
  }

  async granted(): Promise<bigint> {
    return BigInt((await this.call<AccountView>('GET', '/api/account')).body.balances[0]!.grantMicroCredits);
  }

  async socket(namespace: string): Promise<Socket> {
    const socket = io(running.url + namespace, {
      transports: ['websocket'],
      parser,
      reconnection: false,
      forceNew: true,
      extraHeaders: { cookie: this.cookie },
    });
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('connect_error', reject);
    });
    return socket;
  }
}

const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Believed: what it hands in is accepted at once. */
class Contributor {
  readonly briefs = new Map<string, JobBrief>();
  readonly done: { job: string; pass: number; tile: number }[] = [];
  readonly socket: Socket;

  private constructor(socket: Socket) {
    this.socket = socket;
  }

  static async join(): Promise<Contributor> {
    const visitor = new Visitor();
    const { contributor, consent } = (await visitor.call<ConsentGrant>('POST', '/api/consents', { kinds: [entry.spec.id], site: null })).body;
    const socket = await visitor.socket(namespaces.contribute);
    const device = { vendor: 'test', architecture: '', backend: 'cpu', description: '', software: true };
    const hello = { protocol: PROTOCOL_VERSION, contributor: contributor.id, secret: contributor.secret, consent: consent.id, device, trusted: KEY };
    expect(await socket.timeout(5000).emitWithAck('hello', { ...hello, downloadBytesMax: limits.downloadBytesDefault })).toHaveProperty('data');
    return new Contributor(socket);
  }

  async work(leasesMax = 1): Promise<Work> {
    const { data } = (await this.socket.timeout(5000).emitWithAck('work', { leasesMax })) as { data: Work };
    for (const brief of data.jobs) this.briefs.set(brief.id, brief);
    return data;
  }

  /** Works until there is nothing to do. */
  async finish(): Promise<void> {
    for (;;) {
      const { leases } = await this.work();
      if (leases.length === 0) return;
      for (const { token, job: id, at, parts } of leases) {
        const { seed, params: ordered, prepared, inputs } = this.briefs.get(id)!;
        const job = { id, seed, params: ordered, prepared } as const;
        const check = await entry.check();
        const loaded: Record<string, Uint8Array> = {};
        for (const { name, hash } of inputs) loaded[name] = new Uint8Array(await (await fetch(`${running.url}/blobs/${hash}`)).arrayBuffer());
        const rendered = await check.render(check.load(job, loaded), job, at, parts);
        const shape = { parts, elements: entry.spec.elements(job, at), words: entry.spec.elementWords(job, at) };
        const bytes = Buffer.from(encodeResult(rendered, shape.elements, shape.words));
        const root = toHex(commitParts(saltOf(token), shape, rendered).root);
        const message = { token, parts, root, hash: hashOf(bytes), inline: bytes, computeMs: 1, leasesMax: 0 };
        const ack = (await this.socket.timeout(5000).emitWithAck('handIn', message)) as Ack<HandedIn>;
        if ('error' in ack) throw new Error(ack.error.message);
        this.done.push({ job: id, ...at });
      }
    }
  }
}

const isHere = (hash: string): boolean => existsSync(join(folder, 'blobs', hash.slice(0, 2), hash));

describe('a pause', () => {
  it('is its requester’s alone, stops new leases, and lasts over a restart', async () => {
    const [requester, stranger] = [await Visitor.start(), await Visitor.start()];
    const job = await requester.order();
    expect((await stranger.call('POST', `/api/jobs/${job.id}/pause`, {})).status).toBe(403);
    expect((await new Visitor().call('POST', `/api/jobs/${job.id}/pause`, {})).status).toBe(401);
    expect((await requester.call('POST', '/api/jobs/j_AAAAAAAAAAAAAAAA/pause', {})).status).toBe(404);
    const paused = await requester.call<JobView>('POST', `/api/jobs/${job.id}/pause`, {});
    expect([paused.status, paused.body.paused, paused.body.keptUntilMs]).toEqual([200, true, null]);
    const contributor = await Contributor.join();
    expect((await contributor.work()).leases).toEqual([]);

    contributor.socket.disconnect();
    await running.close();
    await start();
    expect(await requester.job(job.id)).toMatchObject({ paused: true, status: 'open', secondsLeft: null });
    const again = await Contributor.join();
    expect((await again.work()).leases).toEqual([]);
    expect((await stranger.call('POST', `/api/jobs/${job.id}/resume`, {})).status).toBe(403);
    expect((await requester.call<JobView>('POST', `/api/jobs/${job.id}/resume`, {})).body.paused).toBe(false);
    expect((await again.work()).leases).toHaveLength(1);
    expect((await requester.call<JobView>('POST', `/api/jobs/${job.id}/cancel`, {})).body.status).toBe('cancelled');
    expect((await requester.call('POST', `/api/jobs/${job.id}/pause`, {})).status).toBe(409);
    again.socket.disconnect();
  }, 30_000);
});

describe('an extension', () => {
  it('computes and costs what is new alone, and makes the picture of one order for all of it', async () => {
    const requester = await Visitor.start();
    const before = await requester.granted();
    const job = await requester.order();
    const contributor = await Contributor.join();
    await contributor.finish();
    const done = await requester.job(job.id);
    expect(done).toMatchObject({ status: 'done', extensions: 0, keptUntilMs: done.endedMs! + 2 * 86_400_000 });
    const first = await requester.file(job.id, 'png');
    const more = { params: { samples: 40 } };

    for (const [body, status, field] of [
      [{ params: { samples: 2 } }, 422, 'params.samples'],
      [{ params: { samples: 99_999 } }, 422, 'params.samples'],
      [{ params: { samples: 'many' } }, 422, 'params.samples'],
      [{ params: { width: 64 } }, 422, 'params.width'],
      [{ params: { stages: [1] } }, 422, 'params.stages'],
      [{ params: {} }, 400, 'params'],
      [{}, 400, 'params'],
    ] as const) {
      const refused = await requester.call('POST', `/api/jobs/${job.id}/extend`, body);
      expect([refused.status, refused.body.field], JSON.stringify(body)).toEqual([status, field]);
    }
    const stranger = await Visitor.start();
    for (const path of ['extend', 'extend/quote']) {
      expect((await stranger.call('POST', `/api/jobs/${job.id}/${path}`, more)).status).toBe(403);
      expect((await new Visitor().call('POST', `/api/jobs/${job.id}/${path}`, more)).status).toBe(401);
    }

    const paidBefore = BigInt(done.paidMicroCredits);
    expect(before - (await requester.granted())).toBe(paidBefore);
    const { body: quote } = await requester.call<ExtensionQuote>('POST', `/api/jobs/${job.id}/extend/quote`, more);
    expect(quote.parts - quote.freshParts).toBe(done.parts.accepted);
    expect((await requester.call('POST', `/api/jobs/${job.id}/extend`, { ...more, holdMicroCreditsMax: '1' })).status).toBe(409);
    const { body: opened } = await requester.call<JobView>('POST', `/api/jobs/${job.id}/extend`, { ...more, holdMicroCreditsMax: quote.holdMicroCredits });
    expect(opened).toMatchObject({ id: job.id, status: 'open', extensions: 1, params: { samples: 40 }, endedMs: null, keptUntilMs: null });
    expect(opened.parts).toMatchObject({ total: quote.parts, accepted: done.parts.accepted });
    expect(before - (await requester.granted())).toBe(paidBefore + BigInt(quote.holdMicroCredits));
    expect(BigInt(opened.heldMicroCredits)).toBe(paidBefore + BigInt(quote.holdMicroCredits));
    expect(opened.paidMicroCredits).toBe(done.paidMicroCredits);
    expect((await requester.call('GET', `/api/jobs/${job.id}/files/png`)).status).toBe(409);
    expect((await requester.call('GET', `/api/jobs/${job.id}/receipt`)).status).toBe(409);
    expect((await requester.call('POST', `/api/jobs/${job.id}/extend`, more)).status).toBe(409);

    // Killed here, it goes on as it is.
    contributor.socket.disconnect();
    await running.close();
    await start();
    expect(await requester.job(job.id)).toEqual({ ...opened, secondsLeft: null, secondsLeftP95: null });
    const next = await Contributor.join();
    await next.finish();
    const passes = new Set(next.done.filter((each) => each.job === job.id).map(({ pass }) => pass));
    expect(Math.min(...passes)).toBe(done.grid.passes);
    const extended = await requester.job(job.id);
    expect(extended).toMatchObject({ status: 'done', extensions: 1, parts: { total: quote.parts, accepted: quote.parts } });
    expect(BigInt(extended.paidMicroCredits)).toBe(paidBefore + BigInt(quote.workMicroCredits));
    expect(before - (await requester.granted())).toBe(BigInt(extended.paidMicroCredits));

    const atOnce = await requester.order({ params: { ...params, samples: 40 } });
    await next.finish();
    const picture = await requester.file(job.id, 'png');
    expect(picture.equals(first)).toBe(false);
    expect(picture.equals(await requester.file(atOnce.id, 'png'))).toBe(true);
    expect((await requester.call<{ files: object[] }>('GET', `/api/jobs/${job.id}/files`)).body.files).toMatchObject([
      { output: 'png', extension: 'png', bytes: picture.byteLength },
      { output: 'png16', bytes: null },
      { output: 'exr', bytes: null },
    ]);

    const { body: receipt } = await requester.call<Receipt>('GET', `/api/jobs/${job.id}/receipt`);
    expect(
      receiptProblems(
        receipt as Receipt,
        (bytes) => createHash('sha256').update(bytes).digest(),
        () => true,
      ),
    ).toEqual([]);
    expect(receipt.parts).toBe(quote.parts);
    expect(receipt.leaves.reduce((sum, { microCredits }) => sum + BigInt(microCredits), 0n)).toBe(BigInt(extended.paidMicroCredits));
    next.socket.disconnect();
  }, 60_000);

  it('reaches a contributor that knew the job before', async () => {
    const requester = await Visitor.start();
    const job = await requester.order({ seed: 12 });
    const contributor = await Contributor.join();
    await contributor.finish();
    await requester.call('POST', `/api/jobs/${job.id}/extend`, { params: { samples: 5 } });
    await contributor.finish();
    expect(contributor.briefs.get(job.id)?.params).toMatchObject({ samples: 5 });
    expect(await requester.job(job.id)).toMatchObject({ status: 'done', extensions: 1 });
    contributor.socket.disconnect();
  }, 30_000);

  it('that is cancelled gives back what was not paid of it, and keeps what is there', async () => {
    const requester = await Visitor.start();
    const before = await requester.granted();
    const job = await requester.order({ seed: 13 });
    const contributor = await Contributor.join();
    await contributor.finish();
    const done = await requester.job(job.id);
    await requester.call('POST', `/api/jobs/${job.id}/extend`, { params: { samples: 500 } });
    expect(before - (await requester.granted())).toBeGreaterThan(BigInt(done.paidMicroCredits));
    await requester.call('POST', `/api/jobs/${job.id}/cancel`, {});
    expect(await requester.job(job.id)).toMatchObject({
      status: 'cancelled',
      paidMicroCredits: done.paidMicroCredits,
      parts: { accepted: done.parts.accepted },
    });
    expect(before - (await requester.granted())).toBe(BigInt(done.paidMicroCredits));
    contributor.socket.disconnect();
  }, 30_000);
});

describe('a private job', () => {
  it('is not there for anybody but its requester: over no route, and over no socket', async () => {
    const [requester, stranger] = [await Visitor.start(), await Visitor.start()];
    const job = await requester.order({ seed: 14, title: 'Secret' });
    const watching = await stranger.socket(namespaces.watch);
    const own = await requester.socket(namespaces.watch);
    for (const socket of [watching, own]) expect(await socket.timeout(5000).emitWithAck('watch', { job: job.id })).toHaveProperty('data');
    const heard: string[] = [];
    watching.onAny((name: string) => heard.push(name));
    const told = new Promise((resolve) => own.once('job:progress', resolve));
    expect((await stranger.call('POST', `/api/jobs/${job.id}/visibility`, { visibility: 'private' })).status).toBe(403);
    expect((await requester.call('POST', `/api/jobs/${job.id}/visibility`, { visibility: 'secret' })).status).toBe(400);
    expect((await requester.call<JobView>('POST', `/api/jobs/${job.id}/visibility`, { visibility: 'private' })).body.visibility).toBe('private');
    expect(await told).toMatchObject({ id: job.id, visibility: 'private' });
    await expect.poll(() => heard).toEqual(['job:gone']);

    const contributor = await Contributor.join();
    await contributor.finish();
    expect(heard).toEqual(['job:gone']);
    expect(await requester.job(job.id)).toMatchObject({ status: 'done', visibility: 'private' });
    const { results } = (await requester.call<{ results: AcceptedView[] }>('GET', `/api/jobs/${job.id}/results`)).body;
    const routes: readonly (readonly [string, string, object?])[] = [
      ['GET', ''],
      ['GET', '/results'],
      ['GET', `/results/${results[0]!.id}`],
      ['GET', '/files'],
      ['GET', '/files/png'],
      ['GET', '/receipt'],
      ['POST', '/cancel', {}],
      ['POST', '/pause', {}],
      ['POST', '/resume', {}],
      ['POST', '/extend', { params: { samples: 9 } }],
      ['POST', '/extend/quote', { params: { samples: 9 } }],
      ['POST', '/visibility', { visibility: 'public' }],
      ['DELETE', ''],
    ];
    for (const [method, path, body] of routes) {
      const secret = await stranger.call(method, `/api/jobs/${job.id}${path}`, body);
      const missing = await stranger.call(method, `/api/jobs/j_AAAAAAAAAAAAAAAA${path}`, body);
      expect([secret.status, JSON.stringify(secret.body)], `${method} ${path}`).toEqual([404, JSON.stringify(missing.body)]);
    }
    for (const who of [stranger, new Visitor()])
      for (const scope of ['public', 'mine']) expect(JSON.stringify((await who.call('GET', `/api/jobs?scope=${scope}`)).body)).not.toContain(job.id);
    const ack = await watching.timeout(5000).emitWithAck('watch', { job: job.id });
    expect(ack).toMatchObject({ error: { code: 'not_found', message: 'There is no such job.' } });
    const file = await fetch(`${running.url}/api/jobs/${job.id}/files/png`, { headers: { cookie: requester.cookie } });
    expect([file.status, file.headers.get('cache-control')]).toEqual([200, 'private, no-cache']);
    const result = await fetch(`${running.url}/api/jobs/${job.id}/results/${results[0]!.id}`, { headers: { cookie: requester.cookie } });
    expect(result.headers.get('cache-control')).toContain('private');

    await requester.call('POST', `/api/jobs/${job.id}/visibility`, { visibility: 'unlisted' });
    expect((await stranger.job(job.id)).visibility).toBe('unlisted');
    for (const socket of [watching, own, contributor.socket]) socket.disconnect();
  }, 40_000);

  it('may be ordered as one', async () => {
    const [requester, stranger] = [await Visitor.start(), await Visitor.start()];
    const job = await requester.order({ visibility: 'private' });
    expect((await stranger.call('GET', `/api/jobs/${job.id}`)).status).toBe(404);
    await requester.call('POST', `/api/jobs/${job.id}/cancel`, {});
  });
});

describe('a deleted job', () => {
  it('leaves its figures and its receipt to its requester, and no bytes; what another job needs stays', async () => {
    const [requester, other, stranger] = [await Visitor.start(), await Visitor.start(), await Visitor.start()];
    // Ordered by somebody else at the same time, of the same scene.
    const theirs = await other.order({ seed: 16 });
    const mine = await requester.order({ seed: 17 });
    expect((await requester.call('DELETE', `/api/jobs/${mine.id}`)).status).toBe(409);
    const worker = await Contributor.join();
    await worker.finish();
    const [input] = worker.briefs.get(mine.id)!.inputs;
    const png = hashOf(await requester.file(mine.id, 'png'));
    expect([isHere(png), isHere(input!.hash)]).toEqual([true, true]);
    const { body: before } = await requester.call<Receipt>('GET', `/api/jobs/${mine.id}/receipt`);

    expect((await stranger.call('DELETE', `/api/jobs/${mine.id}`)).status).toBe(403);
    expect((await new Visitor().call('DELETE', `/api/jobs/${mine.id}`)).status).toBe(401);
    const { status, body: deleted } = await requester.call<JobView>('DELETE', `/api/jobs/${mine.id}`);
    expect([status, deleted.visibility, deleted.keptUntilMs, deleted.status]).toEqual([200, 'private', null, 'done']);
    expect(deleted.deletedMs).toBeGreaterThan(deleted.endedMs!);
    expect([isHere(png), isHere(input!.hash)]).toEqual([false, true]);
    expect((await stranger.call('GET', `/api/jobs/${mine.id}`)).status).toBe(404);
    expect((await requester.call<{ results: [] }>('GET', `/api/jobs/${mine.id}/results`)).body.results).toEqual([]);
    expect((await requester.call('GET', `/api/jobs/${mine.id}/files/png`)).status).toBe(404);
    expect((await requester.call('POST', `/api/jobs/${mine.id}/extend`, { params: { samples: 9 } })).status).toBe(409);
    const { body: after } = await requester.call<Receipt>('GET', `/api/jobs/${mine.id}/receipt`);
    expect(after.leaves).toEqual(before.leaves);
    expect(after.outputs).toEqual(before.outputs);
    expect((await requester.call<JobView>('DELETE', `/api/jobs/${mine.id}`)).status).toBe(200);

    // The other's is whole, until it goes too.
    expect((await other.file(theirs.id, 'png')).byteLength).toBeGreaterThan(0);
    await other.call('DELETE', `/api/jobs/${theirs.id}`);
    worker.socket.disconnect();
  }, 60_000);
});
