import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { limits } from '../shared/limits.ts';
import type { GroupId, JobId, OwnerId } from '../shared/model.ts';
import type { AcceptedView, JobView, Problem } from '../shared/schemas.ts';
import type { Pool } from './checks/pool.ts';
import { holds } from './core/ledger.ts';
import { KEY, World } from './formula.testing.ts';
import { always, Hand, verdictOf } from './hand.testing.ts';
import { answerError } from './http/errors.ts';
import { EventStreams } from './http/event-streams.ts';
import { eventRoutes } from './http/events.ts';
import { Jobs } from './jobs.ts';
import { Moderation } from './moderation.ts';
import { oneRate } from './prices.testing.ts';
import { jobIdOf } from './store/testing.ts';
import { Watching } from './watching.ts';

/** Server-sent events of real jobs over real HTTP; whose session a request has is said by a header. */

const idle = { ask: () => Promise.reject(new Error('no thread works in this test')) } as unknown as Pool;
const ME = 'device:requester0000000' as OwnerId;
const OTHER = 'device:somebodyelse000' as OwnerId;
const GROUP = 'g_0000000000000001' as GroupId;

let world: World;
let watching: Watching;
let app: FastifyInstance;
let streams: EventStreams;
let jobs: Jobs;
let url: string;
const readers: Reader[] = [];

/** Whoever says so, with a session that is named after him. */
const sessionOf = (owner: string | string[] | undefined) =>
  typeof owner === 'string' ? { owner: owner as OwnerId, hash: new TextEncoder().encode(owner) } : undefined;

async function open(params: object = {}): Promise<void> {
  world = await World.open({}, { params });
  const { store, blobs, coordinator } = world;
  const clock = (): number => world.now;
  const common = { store, blobs, coordinator, clock, randomBytes, preparing: idle, assembling: idle, moderation: await Moderation.open(store) };
  jobs = new Jobs({ ...common, prices: oneRate(1n), retentionMs: 1 });
  watching = new Watching({ jobs, coordinator });
  app = Fastify();
  streams = new EventStreams();
  app.setErrorHandler(answerError);
  await app.register(eventRoutes({ jobs, watching, streams, sessionOf: async ({ headers }) => sessionOf(headers['x-owner']) }));
  url = await app.listen({ host: '127.0.0.1', port: 0 });
}

beforeEach(() => open());
afterEach(async () => {
  for (const reader of readers.splice(0)) reader.cut();
  watching.close();
  // fetch opens connections in advance; without a request they would be waited for.
  app.server.closeAllConnections();
  await app.close();
  await world.close();
  vi.useRealTimers();
});

interface Told {
  readonly event: string;
  readonly data: unknown;
  readonly id: string | undefined;
}

/** An EventSource by the book, as far as these streams go. */
class Reader {
  readonly told: Told[] = [];
  readonly comments: string[] = [];
  lastId: string | undefined;
  retry: string | undefined;
  isClosed = false;
  readonly status: number;
  readonly headers: Headers;
  readonly #controller: AbortController;

  private constructor(response: Response, controller: AbortController) {
    this.status = response.status;
    this.headers = response.headers;
    this.#controller = controller;
    void this.#read(response)
      .catch(() => undefined)
      .finally(() => {
        this.isClosed = true;
      });
  }

  static async open({ owner, last, job = world.job.id }: { owner?: OwnerId; last?: string | undefined; job?: JobId } = {}): Promise<Reader> {
    const controller = new AbortController();
    const headers = { ...(owner ? { 'x-owner': owner } : {}), ...(last === undefined ? {} : { 'last-event-id': last }) };
    const reader = new Reader(await fetch(`${url}/api/jobs/${job}/events`, { headers, signal: controller.signal }), controller);
    readers.push(reader);
    return reader;
  }

  cut(): void {
    this.#controller.abort();
  }

  async #read(response: Response): Promise<void> {
    let rest = '';
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      const blocks = (rest + chunk).split('\n\n');
      rest = blocks.pop() ?? '';
      for (const block of blocks) this.#take(block);
    }
  }

  #take(block: string): void {
    const fields = new Map<string, string>();
    for (const line of block.split('\n')) {
      const [name = '', value = ''] = [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()];
      if (name === '') this.comments.push(value);
      else fields.set(name, value);
    }
    this.retry = fields.get('retry') ?? this.retry;
    this.lastId = fields.get('id') ?? this.lastId;
    const [event, data] = [fields.get('event'), fields.get('data')];
    if (event !== undefined && data !== undefined) this.told.push({ event, data: JSON.parse(data), id: fields.get('id') });
  }

  named(event: string): Told[] {
    return this.told.filter((each) => each.event === event);
  }
  get tiles(): string[] {
    return this.named('tile').map(({ data }) => (data as AcceptedView).id);
  }
}

/** Computes one more tile, a second later. */
async function deliver(hand: Hand): Promise<string> {
  world.now += 1000;
  const verdicts = hand.verdicts.length;
  const { result } = await hand.deliver();
  await verdictOf(hand, verdicts + 1);
  return result;
}
const trusted = (): Promise<Hand> => Hand.join(world, { trusted: KEY });

it('begins with the job and what is accepted, goes on live, ends, and tells who was told all to stay away', async () => {
  const hand = await trusted();
  const first = await deliver(hand);
  const [reader, own] = [await Reader.open(), await Reader.open({ owner: ME })];
  expect([reader.status, reader.headers.get('content-type'), reader.headers.get('cache-control')]).toEqual([200, 'text/event-stream', 'no-store']);
  // How far it is may be told again at once.
  await expect.poll(() => reader.told.slice(0, 2).map(({ event }) => event)).toEqual(['job', 'tile']);
  expect(reader.retry).toBe('3000');
  expect(reader.told[0]!.data).toMatchObject({ id: world.job.id, status: 'open', mine: false, parts: { total: 24, accepted: 3 } });
  const rest: string[] = [];
  for (let tile = 1; tile < 8; tile++) rest.push(await deliver(hand));
  await expect.poll(() => reader.isClosed && own.isClosed).toBe(true);
  expect(reader.tiles).toEqual([first, ...rest]);
  expect(reader.told.at(-1)).toMatchObject({ event: 'end', data: { status: 'done', mine: false, parts: { accepted: 24 } } });
  expect(own.told.at(-1)).toMatchObject({ event: 'end', data: { status: 'done', mine: true } });
  expect(own.named('end')).toHaveLength(1);

  // Ended: told at once, and closed; by who was told before, with 204, which ends an EventSource for good.
  const late = await Reader.open();
  await expect.poll(() => late.isClosed).toBe(true);
  expect(late.told.map(({ event }) => event)).toEqual(['job', ...Array.from({ length: 8 }, () => 'tile'), 'end']);
  expect((await Reader.open({ last: reader.lastId })).status).toBe(204);
});

it('tells progress at most twice a second', async () => {
  const hand = await trusted();
  const reader = await Reader.open();
  const began = performance.now();
  for (let tile = 0; tile < 7; tile++) await deliver(hand);
  await expect.poll(() => reader.named('job').at(-1)?.data).toMatchObject({ parts: { accepted: 21 } });
  // One is the beginning.
  expect(reader.named('job').length).toBeLessThanOrEqual(3 + (performance.now() - began) / 500);
  expect(reader.tiles).toHaveLength(7);
});

it('resumes after a cut with what was not told, and with what was taken back meanwhile', async () => {
  const hand = await Hand.join(world);
  const reader = await Reader.open();
  const told = [await deliver(hand), await deliver(hand)];
  await expect.poll(() => reader.tiles).toEqual(told);
  reader.cut();
  const missed = await deliver(hand);
  const again = await Reader.open({ last: reader.lastId });
  await expect.poll(() => again.tiles).toEqual([told[1], missed]);
  again.cut();

  // All its results are taken back, because it lies: who was away hears of it.
  world.now += 1000;
  const lie = (await hand.deliver(always)).result;
  await expect.poll(async () => (await world.store.jobs.result(lie))?.state, { timeout: 5000 }).toBe('refuted');
  const back = await Reader.open({ last: again.lastId });
  await expect
    .poll(() =>
      back
        .named('revoked')
        .map(({ data }) => (data as { result: string }).result)
        .sort(),
    )
    .toEqual([...told, missed, lie].sort());
  expect(back.tiles).toEqual([]);
});

it('tells live what is taken back', async () => {
  const hand = await Hand.join(world);
  const reader = await Reader.open();
  const result = await deliver(hand);
  await hand.deliver(always);
  await expect.poll(() => reader.named('revoked'), { timeout: 5000 }).toMatchObject([{ data: { result } }]);
  expect(reader.tiles).toEqual([result]);
});

it('is not there for who may not see the job, and ends when that becomes so', async () => {
  const [stranger, own] = [await Reader.open({ owner: OTHER }), await Reader.open({ owner: ME })];
  await expect.poll(() => [stranger.told.length, own.told.length]).toEqual([1, 1]);
  await world.store.lifecycle.setVisibility(world.job.id, 'private');
  await watching.changed(world.job.id);
  await expect.poll(() => stranger.isClosed).toBe(true);
  expect(stranger.named('end')).toEqual([]);
  await expect.poll(() => own.named('job').length).toBe(2);
  expect(own.isClosed).toBe(false);

  const [hidden, unknown] = await Promise.all(
    [world.job.id, jobIdOf(99)].map(async (job) => {
      const response = await fetch(`${url}/api/jobs/${job}/events`, { headers: { 'x-owner': OTHER } });
      return [response.status, (await response.json()) as Problem] as const;
    }),
  );
  expect(hidden).toEqual(unknown);
  expect(hidden![0]).toBe(404);
  watching.jobGone(world.job.id);
  await expect.poll(() => own.isClosed).toBe(true);
});

it('of a job for a group ends for who leaves the group', async () => {
  const { store } = world;
  await store.groups.create({ id: GROUP, name: 'Studio', owner: ME, createdMs: 0 }, { id: 'm_1', group: GROUP, owner: ME, name: '', joinedMs: 0 });
  await store.groups.addMember({ id: 'm_2', group: GROUP, owner: OTHER, name: '', joinedMs: 0 });
  const job = { ...world.job, id: jobIdOf(2), group: { id: GROUP, mode: 'only' as const } };
  await store.jobs.create(job, holds(job));
  await world.coordinator.dispatch({ type: 'openJob', job, results: [], paid: 0n });
  const [member, requester] = [await Reader.open({ owner: OTHER, job: job.id }), await Reader.open({ owner: ME, job: job.id })];
  await expect.poll(() => member.told.length).toBe(1);
  await store.groups.removeMember(GROUP, OTHER);
  await watching.leftGroup(OTHER);
  await expect.poll(() => member.isClosed).toBe(true);
  expect(requester.isClosed).toBe(false);
  expect((await Reader.open({ owner: OTHER, job: job.id })).status).toBe(404);
});

it('closes a reader that does not read, and no other', async () => {
  await app.close();
  watching.close();
  await world.close();
  // Each view of the job is a fifth of what may wait.
  await open({ filler: 'x'.repeat(limits.eventStreamWaitingBytesMax / 5) });
  const good = await Reader.open();
  const slow = connect({ host: '127.0.0.1', port: Number(new URL(url).port) });
  slow.write(`GET /api/jobs/${world.job.id}/events HTTP/1.1\r\nhost: localhost\r\n\r\n`);
  await new Promise((resolve) => slow.once('readable', resolve));
  // What the system buffers for a connection is some megabytes; this is twenty.
  const sent = 100;
  for (let each = 0; each < sent; each++) {
    await watching.changed(world.job.id);
    await expect.poll(() => good.told.length, { interval: 1 }).toBe(each + 2);
  }
  let received = 0;
  slow.on('error', () => undefined);
  slow.on('data', (chunk: Buffer) => {
    received += chunk.length;
  });
  await new Promise((resolve) => slow.once('close', resolve));
  expect(received).toBeGreaterThan(0);
  expect(received).toBeLessThan((sent * limits.eventStreamWaitingBytesMax) / 5);
  expect(good.isClosed).toBe(false);
}, 30_000);

it('sends a comment every 15 s', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  await app.close();
  watching.close();
  await world.close();
  await open();
  const reader = await Reader.open();
  await expect.poll(() => reader.told.length).toBe(1);
  vi.advanceTimersByTime(limits.eventStreamHeartbeatMs);
  await expect.poll(() => reader.comments.length).toBe(1);
  vi.advanceTimersByTime(2 * limits.eventStreamHeartbeatMs);
  await expect.poll(() => reader.comments.length).toBe(3);
});

it('is capped by address, and free again when one is closed', async () => {
  const all = await Promise.all(Array.from({ length: limits.eventStreamsPerAddressMax }, () => Reader.open()));
  expect(all.map(({ status }) => status)).toEqual(all.map(() => 200));
  const refused = await Reader.open();
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '30']);
  all[0]!.cut();
  await expect.poll(async () => (await Reader.open()).status).toBe(200);
});

it('waits for a job whose commit is under way, which is in neither its row nor in memory', async () => {
  const known = await world.store.jobs.get(world.job.id);
  if (!known) throw new Error('unreachable');
  const late = { ...known, id: jobIdOf('late'), heldFrom: [], workHeld: 0n, checksHeld: 0n, ratePerUnit: 0n };
  await world.store.jobs.create(late, []);
  const view = jobs.view(late.id, late.owner);
  await new Promise((resolve) => setTimeout(resolve, 60));
  await world.coordinator.dispatch({ type: 'openJob', job: late, results: [], paid: 0n });
  expect(await view).toMatchObject({ id: late.id, status: 'open' });
});

it('ends with the session that it was asked for with, and with no other', async () => {
  const [mine, theirs, guest] = [await Reader.open({ owner: ME }), await Reader.open({ owner: OTHER }), await Reader.open()];
  streams.sessionEnded(new TextEncoder().encode(ME));
  await expect.poll(() => mine.isClosed).toBe(true);
  expect([theirs.isClosed, guest.isClosed]).toEqual([false, false]);
});

it('is capped by account whatever the address, and in all', () => {
  const streams = new EventStreams();
  const job = jobIdOf(1);
  for (let each = 0; each < limits.eventStreamsPerOwnerMax; each++) streams.open({ job, owner: ME, address: `10.0.0.${each}`, session: null });
  expect(() => streams.open({ job, owner: ME, address: '10.0.1.1', session: null })).toThrow('an account');
  for (let each = limits.eventStreamsPerOwnerMax; each < limits.eventStreamsMax; each++)
    streams.open({ job, owner: undefined, address: `10.1.${each}`, session: null });
  expect(() => streams.open({ job, owner: undefined, address: '10.0.1.2', session: null })).toThrow(`At most ${limits.eventStreamsMax}`);
  streams.close();
});

it('is closed with the coordinator, which does not wait for it', async () => {
  const reader = await Reader.open();
  await expect.poll(() => reader.told.length).toBe(1);
  const began = performance.now();
  await app.close();
  await expect.poll(() => reader.isClosed).toBe(true);
  expect(performance.now() - began).toBeLessThan(1000);
  const view = reader.told[0]!.data as JobView;
  expect(view.status).toBe('open');
});
