import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { io, type Socket } from 'socket.io-client';
import parser from 'socket.io-msgpack-parser';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { workload, workloadIds } from '../shaders/registry.ts';
import { limits } from '../shared/limits.ts';
import { type Ack, namespaces, PROTOCOL_VERSION, type Work } from '../shared/protocol.ts';
import type { AccountView, ConsentGrant, GroupDetails, GroupView, JobView, MadeInvite, Problem } from '../shared/schemas.ts';
import { PatientLoad } from './load.testing.ts';
import { main } from './main.ts';

/** Who sees a job for a group only: over real HTTP and real sockets, with the whole coordinator. */

const { spec } = workload(workloadIds[0]!)!;
const params = { scene: 'cornell', width: 64, height: 64, samples: 2, bounces: 1, lighting: 'auto' };
const order = { workload: spec.id, params, files: {}, title: 'Ours', visibility: 'public' };

let running: Awaited<ReturnType<typeof main>>;
let folder: string;
const sockets: Socket[] = [];

class Visitor {
  cookie = '';

  async call<T>(method: string, path: string, body?: unknown): Promise<{ status: number; body: T & Partial<Omit<Problem, 'status'>> }> {
    const headers = { cookie: this.cookie, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
    const response = await fetch(running.url + path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    this.cookie = response.headers.get('set-cookie')?.split(';')[0] ?? this.cookie;
    return { status: response.status, body: (await response.json().catch(() => ({}))) as T & Partial<Omit<Problem, 'status'>> };
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

  async watch(job: string): Promise<{ socket: Socket; ack: Ack<{ job: JobView }> }> {
    const socket = await this.socket(namespaces.watch);
    return { socket, ack: (await socket.timeout(5000).emitWithAck('watch', { job })) as Ack<{ job: JobView }> };
  }

  /** Work for a contributor of this visitor. */
  async contribute(more: object = {}): Promise<{ socket: Socket; work: () => Promise<Work> }> {
    const { contributor, consent } = (await this.call<ConsentGrant>('POST', '/api/consents', { kinds: [spec.id], site: null })).body;
    const socket = await this.socket(namespaces.contribute);
    const device = { vendor: 'test', architecture: '', backend: 'cpu', description: '', software: true };
    const hello = { protocol: PROTOCOL_VERSION, contributor: contributor.id, secret: contributor.secret, consent: consent.id, device };
    const ack = await socket.timeout(5000).emitWithAck('hello', { ...hello, downloadBytesMax: limits.downloadBytesDefault, ...more });
    expect(ack).toHaveProperty('data');
    return { socket, work: async () => ((await socket.timeout(5000).emitWithAck('work', { leasesMax: 1 })) as { data: Work }).data };
  }
}

const code = (ack: Ack<unknown>): [string, string | undefined] => ('error' in ack ? [ack.error.code, ack.error.field] : ['done', undefined]);
const granted = async (visitor: Visitor): Promise<string> => (await visitor.call<AccountView>('GET', '/api/account')).body.balances[0]!.grantMicroCredits;

let owner: Visitor;
let member: Visitor;
let stranger: Visitor;
let group: GroupView;
let job: JobView;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tessera-groups-'));
  Object.assign(process.env, { HOST: '127.0.0.1', PORT: '0', DATA_DIR: folder, GALLERY: 'off', LOG_LEVEL: 'silent', PUBLIC_ORIGIN: '' });
  running = await main(new PatientLoad());
  [owner, member, stranger] = await Promise.all([Visitor.start(), Visitor.start(), Visitor.start()]);
  group = (await owner.call<GroupView>('POST', '/api/groups', { name: 'Studio' })).body;
  const invite = (await owner.call<MadeInvite>('POST', `/api/groups/${group.id}/invites`, {})).body;
  expect((await member.call('POST', '/api/invites/join', { code: invite.code })).status).toBe(200);
}, 30_000);

afterAll(async () => {
  for (const socket of sockets) socket.disconnect();
  await running.close();
  await rm(folder, { recursive: true, force: true });
});

it('is ordered by members alone, costs nothing, and is never listed', async () => {
  const before = await granted(owner);
  const answer = await owner.call<JobView>('POST', '/api/jobs', { ...order, group: group.id, groupMode: 'only' });
  expect(answer.status).toBe(201);
  job = answer.body;
  expect(job).toMatchObject({ heldMicroCredits: '0', visibility: 'unlisted', group: { id: group.id, name: 'Studio', mode: 'only', members: 0 } });
  expect(await granted(owner)).toBe(before);
  const foreign = { ...order, group: group.id, groupMode: 'only' };
  const unknown = { ...foreign, group: 'g_AAAAAAAAAAAAAAAA' };
  for (const body of [foreign, unknown]) {
    const refused = await stranger.call('POST', '/api/jobs', body);
    expect([refused.status, refused.body.field, refused.body.detail]).toEqual([422, 'group', 'You are in no such group.']);
  }
  for (const [change, status, field] of [
    [{ group: group.id }, 422, 'groupMode'],
    [{ groupMode: 'only' }, 422, 'group'],
    [{ group: 'mine', groupMode: 'only' }, 400, 'group'],
    [{ group: group.id, groupMode: 'free' }, 400, 'groupMode'],
  ] as const) {
    const refused = await owner.call('POST', '/api/jobs', { ...order, ...change });
    expect([refused.status, refused.body.field]).toEqual([status, field]);
  }
});

it('is not there for a stranger who has its id: over no route, and over no socket', async () => {
  const png = spec.outputs({ id: job.id, seed: 0, params, prepared: {} })[0]!.id;
  for (const who of [stranger, new Visitor()]) {
    for (const path of ['', '/results', '/results/r_AAAAAAAAAAAAAAAA', `/files/${png}`, '/receipt']) {
      const { status, body } = await who.call('GET', `/api/jobs/${job.id}${path}`);
      expect([status, body.detail], path).toEqual([404, 'There is no such job.']);
    }
    expect((await who.call('GET', `/api/jobs?group=${group.id}`)).status).toBe(404);
    expect(JSON.stringify((await who.call('GET', '/api/jobs?scope=public')).body)).not.toContain(job.id);
    expect(JSON.stringify((await who.call('GET', '/api/jobs?scope=mine')).body)).not.toContain(job.id);
    expect(code((await who.watch(job.id)).ack)).toEqual(['not_found', 'job']);
  }
  expect((await stranger.call('POST', `/api/jobs/${job.id}/cancel`, {})).status).toBe(404);
  expect(await (await stranger.contribute()).work()).toMatchObject({ leases: [], jobs: [] });
});

it('members see it, get it with the group’s name, and lose it when they are removed', async () => {
  expect((await member.call<JobView>('GET', `/api/jobs/${job.id}`)).body.group).toMatchObject({ name: 'Studio' });
  expect((await member.call<{ jobs: JobView[] }>('GET', `/api/jobs?group=${group.id}`)).body.jobs.map(({ id }) => id)).toEqual([job.id]);
  const { socket: watching, ack } = await member.watch(job.id);
  expect(ack).toMatchObject({ data: { job: { id: job.id, mine: false } } });
  const heard: unknown[] = [];
  watching.on('tile:leased', (message) => heard.push(message));
  const { socket, work } = await member.contribute();
  const given = await work();
  expect(given.leases).toHaveLength(1);
  expect(given.jobs).toMatchObject([{ id: job.id, group: 'Studio' }]);
  await expect.poll(() => heard.length).toBe(1);

  const voided = new Promise((resolve) => socket.once('leases:void', resolve));
  const { people } = (await owner.call<GroupDetails>('GET', `/api/groups/${group.id}`)).body;
  expect((await owner.call('DELETE', `/api/groups/${group.id}/members/${people.find(({ me }) => !me)!.id}`)).status).toBe(200);
  expect(await voided).toMatchObject({ tokens: [given.leases[0]!.token] });
  expect((await work()).leases).toEqual([]);
  expect((await member.call('GET', `/api/jobs/${job.id}`)).status).toBe(404);
  // What happens from now on is not told to it any more, though it watched before.
  expect((await (await owner.contribute()).work()).leases).toHaveLength(1);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(heard).toHaveLength(1);
});

it('a public job that a group gets first tells nobody else of the group', async () => {
  const { body } = await owner.call<JobView>('POST', '/api/jobs', {
    ...order,
    group: group.id,
    groupMode: 'first',
  });
  expect(body).toMatchObject({ visibility: 'public', group: { mode: 'first' } });
  expect(BigInt(body.heldMicroCredits)).toBeGreaterThan(0n);
  const seen = await stranger.call<JobView>('GET', `/api/jobs/${body.id}`);
  expect(seen.status).toBe(200);
  expect(seen.body).not.toHaveProperty('group');
});

it('a contributor says what it wants in hello and later; what makes no sense is refused, naming the field', async () => {
  const picky = await (await Visitor.start()).contribute({ preferences: { groupsOnly: true } });
  expect((await picky.work()).leases).toEqual([]);
  const prefer = (message: unknown): Promise<Ack<null>> => picky.socket.timeout(5000).emitWithAck('prefer', message);
  expect(await prefer({})).toEqual({ data: null });
  const { leases, jobs } = await picky.work();
  expect(leases).toHaveLength(1);
  const { requester } = jobs[0]!;
  expect(requester).toMatch(/^[A-Za-z0-9_-]{12}$/);
  expect(JSON.stringify(jobs)).not.toContain((await owner.call<AccountView>('GET', '/api/account')).body.owner);
  const voided = new Promise((resolve) => picky.socket.once('leases:void', resolve));
  expect(await prefer({ blocked: [requester] })).toEqual({ data: null });
  expect(await voided).toMatchObject({ tokens: [leases[0]!.token] });
  expect((await picky.work()).leases).toEqual([]);
  for (const [message, field] of [
    [{ blocked: ['device:somebody'] }, 'blocked.0'],
    [{ blocked: Array.from({ length: limits.blockedRequestersMax + 1 }, () => 'AAAAAAAAAAAA') }, 'blocked'],
    [{ groupsOnly: 'yes' }, 'groupsOnly'],
    [{ kinds: 'all' }, 'kinds'],
  ] as const)
    expect(code(await prefer(message))).toEqual(['bad_input', field]);
  const stranger = await new Visitor().socket(namespaces.contribute);
  expect(code(await stranger.timeout(5000).emitWithAck('prefer', {}))[0]).toBe('forbidden');
});
