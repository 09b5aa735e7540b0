import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { io, type Socket } from 'socket.io-client';
import parser from 'socket.io-msgpack-parser';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { workload, workloadIds } from '../shaders/registry.ts';
import { triangleModel } from '../shaders/render/glb.testing.ts';
import { limits } from '../shared/limits.ts';
import { namespaces, PROTOCOL_VERSION, type Work } from '../shared/protocol.ts';
import type { AccountView, ConsentGrant, JobView, NetworkView, Problem, TakeDownView } from '../shared/schemas.ts';
import { PatientLoad } from './load.testing.ts';
import { main } from './main.ts';

/** The operator's hand on a whole coordinator: over real HTTP, real sockets, and restarts. */

const { spec } = workload(workloadIds[0]!)!;
const params = { scene: 'file', width: 32, height: 32, samples: 1, bounces: 1, lighting: 'sky' };

let running: Awaited<ReturnType<typeof main>>;
let folder: string;
const sockets: Socket[] = [];

async function start(): Promise<void> {
  Object.assign(process.env, { HOST: '127.0.0.1', PORT: '0', DATA_DIR: folder, GALLERY: 'off', LOG_LEVEL: 'silent', PUBLIC_ORIGIN: '' });
  running = await main(new PatientLoad());
}
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tessera-moderation-'));
  await start();
}, 30_000);
afterAll(async () => {
  for (const socket of sockets) socket.close();
  await running.close();
  await rm(folder, { recursive: true, force: true });
});

/** A triangle, somewhere in space: another place is another scene, another generator another file of the same. */
function triangle(at: number, generator = 'test'): Uint8Array<ArrayBuffer> {
  const model = triangleModel(Float32Array.of(at, 0, 0, at + 1, 0, 0, at, 1, 0));
  model.json.asset = { version: '2.0', generator } as typeof model.json.asset;
  return model.bytes();
}

class Visitor {
  cookie = '';

  async call<T>(method: string, path: string, body?: unknown): Promise<{ status: number; body: T & Partial<Pick<Problem, 'field' | 'detail'>> }> {
    const headers = { cookie: this.cookie, origin: running.url, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
    const response = await fetch(running.url + path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    this.cookie = response.headers.get('set-cookie')?.split(';')[0] ?? this.cookie;
    return { status: response.status, body: (await response.json().catch(() => ({}))) as T & Partial<Pick<Problem, 'field' | 'detail'>> };
  }

  async upload(bytes: Uint8Array<ArrayBuffer>): Promise<{ status: number; body: { hash: string } & Partial<Pick<Problem, 'field' | 'detail'>> }> {
    const headers = { cookie: this.cookie, 'content-type': 'application/octet-stream' };
    const response = await fetch(`${running.url}/api/uploads`, { method: 'POST', headers, body: bytes });
    return { status: response.status, body: (await response.json()) as { hash: string } & Partial<Pick<Problem, 'field' | 'detail'>> };
  }

  static async start(): Promise<Visitor> {
    const visitor = new Visitor();
    await visitor.call('POST', '/api/session', {});
    return visitor;
  }

  async socket(namespace: string): Promise<Socket> {
    const socket = io(running.url + namespace, {
      transports: ['websocket'],
      parser,
      reconnection: false,
      forceNew: true,
      extraHeaders: { cookie: this.cookie },
    });
    sockets.push(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('connect_error', reject);
    });
    return socket;
  }

  async contribute(): Promise<{ socket: Socket; work: () => Promise<Work> }> {
    const { contributor, consent } = (await this.call<ConsentGrant>('POST', '/api/consents', { kinds: [spec.id], site: null })).body;
    const socket = await this.socket(namespaces.contribute);
    const device = { vendor: 'test', architecture: '', backend: 'cpu', description: '', software: true };
    const hello = { protocol: PROTOCOL_VERSION, contributor: contributor.id, secret: contributor.secret, consent: consent.id, device };
    expect(await socket.timeout(5000).emitWithAck('hello', { ...hello, downloadBytesMax: limits.downloadBytesDefault })).toHaveProperty('data');
    return { socket, work: async () => ((await socket.timeout(5000).emitWithAck('work', { leasesMax: 1 })) as { data: Work }).data };
  }
}

/** By the command on the machine, and the link that it prints. */
async function operator(): Promise<Visitor> {
  const { stdout } = await promisify(execFile)(process.execPath, [join(import.meta.dirname, 'operator.ts')], { env: process.env });
  const token = /\/operator#([\w-]{43})\n/.exec(stdout)?.[1];
  const visitor = new Visitor();
  expect((await visitor.call('POST', '/api/operator/session', { token })).status).toBe(200);
  return visitor;
}

const balance = async (visitor: Visitor): Promise<string> => (await visitor.call<AccountView>('GET', '/api/account')).body.balances[0]!.grantMicroCredits;
const error = ({ status, body }: { status: number; body: Partial<Pick<Problem, 'field' | 'detail'>> }) => [status, body.field, body.detail];

it('a job is taken down for everybody, its files are refused wherever they come in, and it is paid back', async () => {
  const [ada, ben, boss] = await Promise.all([Visitor.start(), Visitor.start(), operator()]);
  const [bad, other] = [triangle(0), triangle(5)];
  const model = (await ada.upload(bad)).body.hash;
  const order = { workload: spec.id, params, files: { model }, title: 'Triangle', visibility: 'public' };
  const before = await balance(ada);
  const job = (await ada.call<JobView>('POST', '/api/jobs', order)).body;
  const same = (await ben.call<JobView>('POST', '/api/jobs', { ...order, title: 'The same file' })).body;
  const fine = (await ben.call<JobView>('POST', '/api/jobs', { ...order, files: { model: (await ben.upload(other)).body.hash } })).body;
  expect([job.id, same.id, fine.id]).not.toContain(undefined);
  const contributor = await ben.contribute();
  const scene = (await contributor.work()).jobs[0]!.inputs[0]!.hash;
  const voided: unknown[] = [];
  contributor.socket.on('leases:void', (message) => voided.push(message));
  const watcher = await ben.socket(namespaces.watch);
  expect(await watcher.timeout(5000).emitWithAck('watch', { job: job.id })).toHaveProperty('data');
  const gone = new Promise((resolve) => watcher.once('job:gone', resolve));
  // Quoted before: neither the price nor the prepared scene is worth anything afterwards.
  expect((await ben.call('POST', '/api/quotes', { workload: spec.id, params, files: { model } })).status).toBe(200);

  const down = await boss.call<TakeDownView>('POST', `/api/operator/jobs/${job.id}/take-down`, { reason: 'It shows a triangle.', ban: true });
  expect(down.status).toBe(200);
  expect([...down.body.jobs].sort()).toEqual([job.id, same.id].sort());
  expect(down.body.banned).toContain(model);
  expect(down.body.banned).toHaveLength(1 + 1);
  expect(await gone).toEqual({ job: job.id });

  expect(error(await ben.call('GET', `/api/jobs/${job.id}`))).toEqual([404, undefined, 'There is no such job.']);
  for (const part of ['results', 'receipt', 'files/png']) expect((await ben.call('GET', `/api/jobs/${job.id}/${part}`)).status).toBe(404);
  expect(await watcher.timeout(5000).emitWithAck('watch', { job: job.id })).toMatchObject({ error: { code: 'not_found' } });
  expect(error(await ada.call('GET', `/api/jobs/${job.id}`))).toEqual([403, undefined, expect.stringContaining('Reason given: It shows a triangle.')]);
  const { jobs } = (await ben.call<{ jobs: JobView[] }>('GET', '/api/jobs')).body;
  expect(jobs.map(({ id }) => id)).toEqual([fine.id]);
  expect((await ben.call<{ jobs: JobView[] }>('GET', '/api/jobs?status=done')).body.jobs).toEqual([]);
  expect(await balance(ada)).toBe(before);
  expect(voided.length).toBe(1);
  expect((await contributor.work()).leases.every((lease) => lease.job === fine.id)).toBe(true);
  for (const hash of [model, scene]) expect((await fetch(`${running.url}/blobs/${hash}`)).status).toBe(404);

  const refusal = [422, 'files.model', expect.stringContaining('Reason given: It shows a triangle.')];
  expect((await ben.upload(bad)).status).toBe(403);
  expect(error(await ben.call('POST', '/api/quotes', { workload: spec.id, params, files: { model } }))).toEqual(refusal);
  expect(error(await ben.call('POST', '/api/jobs', order))).toEqual(refusal);
  // Another file of the same scene is taken, and what is made of it is not.
  const disguised = (await ben.upload(triangle(0, 'disguise'))).body.hash;
  expect(disguised).not.toBe(model);
  const disguise = { workload: spec.id, params, files: { model: disguised } };
  expect((await ben.call('POST', '/api/quotes', disguise)).status).toBe(403);
  expect((await ben.call('POST', '/api/jobs', { ...order, files: { model: disguised } })).status).toBe(403);
  contributor.socket.close();
});

it('a pause stops all work, is told to everybody, and survives a restart', async () => {
  const [ada, boss] = await Promise.all([Visitor.start(), operator()]);
  const plain = { workload: spec.id, params: { ...params, scene: 'cornell' }, files: {}, title: 'Box', visibility: 'public' };
  const job = (await ada.call<JobView>('POST', '/api/jobs', plain)).body;
  expect(job.id).toMatch(/^j_/);
  const contributor = await ada.contribute();
  const { leases } = await contributor.work();
  expect(leases).toHaveLength(1);
  const told = new Promise((resolve) => contributor.socket.once('leases:void', resolve));
  expect((await boss.call('POST', '/api/operator/pause', { reason: 'The disk is being changed.' })).status).toBe(200);
  expect(await told).toEqual({ tokens: [leases[0]!.token], reason: 'The operator has paused the network.' });
  expect((await contributor.work()).leases).toEqual([]);
  const paused = async () => (await ada.call<NetworkView>('GET', '/api/network')).body.now.paused;
  await expect.poll(paused, { timeout: 3000 }).toBe('The disk is being changed.');

  contributor.socket.close();
  await running.close();
  await start();
  expect(await paused()).toBe('The disk is being changed.');
  const again = await ada.contribute();
  expect((await again.work()).leases).toEqual([]);
  const available = new Promise((resolve) => again.socket.once('work:available', () => resolve('told')));
  // A session outlives a restart too.
  expect((await boss.call('POST', '/api/operator/resume', { reason: 'Done.' })).status).toBe(200);
  expect(await available).toBe('told');
  expect((await again.work()).leases).toHaveLength(1);
  await expect.poll(paused, { timeout: 3000 }).toBeNull();
});
