import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { MIB } from '../shared/limits.ts';
import type { BlobHash } from '../shared/model.ts';
import { hashOf, KEY, World } from './formula.testing.ts';
import { Hand, handedIn, refusal } from './hand.testing.ts';

/** Adaptive passes, and the cap of a download, over real sockets with the real store. */

let world: World;
afterEach(() => world.close());

const PASSES = 4;
const TILES = 8;
const PARTS = 3;
const work = async (hand: Hand): Promise<string[]> => {
  const { leases } = await hand.work(64);
  for (const lease of leases) await handedIn(hand, hand.compute(lease));
  return leases.map(({ at }) => `${at.tile}.${at.pass}`);
};

/** Works until the job has ended. Returns the passes that each tile got. */
async function finish(hand: Hand, got: Set<string> = new Set()): Promise<string[][]> {
  const ended = (): boolean => world.events.some(({ type }) => type === 'jobEnded');
  for (let round = 0; round < 400 && !ended(); round++) {
    for (const each of await work(hand)) got.add(each);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return Array.from({ length: TILES }, (_, tile) => Array.from({ length: PASSES }, (_, pass) => `${tile}.${pass}`).filter((each) => got.has(each)));
}

const passes = (...wanted: number[]): string[][] =>
  wanted.map((count, tile) => [...Array.from({ length: count }, (_, pass) => `${tile}.${pass}`), `${tile}.${PASSES - 1}`]);
const wanted = [0, 1, 1.5, 2, 2.5, 3, 99, Number.POSITIVE_INFINITY];
const expected = passes(1, 1, 2, 2, 3, 3, 3, 3);
const parts = expected.flat().length * PARTS;

async function expectSound(): Promise<void> {
  const job = await world.store.jobs.get(world.job.id);
  expect(job).toMatchObject({ status: 'done', summary: { parts: { total: parts, accepted: parts, waived: PASSES * TILES * PARTS - parts } } });
  expect(await world.store.ledger.balance(`job/${world.job.id}`, 'test')).toBe(0n);
  expect(await world.store.ledger.audit()).toMatchObject([{ sum: 0n, wrongAccounts: 0 }]);
  const paid = await world.store.ledger.paidFor((await world.store.jobs.results(world.job.id)).map(({ id }) => id));
  const perPart = world.job.workHeld / BigInt(PASSES * TILES * PARTS);
  expect([...paid.values()].reduce((sum, each) => sum + each, 0n)).toBe(perPart * BigInt(parts));
}

describe('adaptive passes', () => {
  it('are left out where the thread says that a tile is good enough, and their price goes back', async () => {
    world = await World.open({}, { params: { passes: PASSES } });
    world.wants = (tile) => wanted[tile];
    expect(await finish(await Hand.join(world, { trusted: KEY }))).toEqual(expected);
    await expectSound();
    const results = await world.store.jobs.results(world.job.id);
    expect(results.filter(({ at }) => at.pass < 2).map(({ at, passesWanted }) => passesWanted === wanted[at.tile])).not.toContain(false);
    // The last adaptive pass decides nothing, and what is behind it neither.
    expect(results.filter(({ at }) => at.pass >= 2).map(({ passesWanted }) => passesWanted)).toEqual(Array(4 + TILES).fill(null));
  }, 30_000);

  it('are the same after restarts, with what was not measured yet measured then', async () => {
    world = await World.open({}, { params: { passes: PASSES } });
    // Never answered: as if it were killed just then.
    world.wants = () => null;
    let hand = await Hand.join(world, { trusted: KEY });
    const got = new Set<string>();
    for (let round = 0; round < 20; round++) for (const each of await work(hand)) got.add(each);
    expect([...got].toSorted()).toEqual(Array.from({ length: TILES }, (_, tile) => [`${tile}.0`, `${tile}.${PASSES - 1}`]).flat());
    await world.stop();
    world.wants = (tile) => wanted[tile];
    await world.start();
    hand = await Hand.join(world, { trusted: KEY });
    await expect.poll(async () => (await world.store.jobs.results(world.job.id)).filter(({ passesWanted }) => passesWanted !== null).length).toBe(TILES);
    for (const each of await work(hand)) got.add(each);
    await world.stop();
    world.measured = 0;
    await world.start();
    // What was stored is not measured again.
    expect(world.measured).toBeLessThan(TILES);
    expect(await finish(await Hand.join(world, { trusted: KEY }), got)).toEqual(expected);
    await expectSound();
  }, 30_000);

  it('all run where no thread can tell', async () => {
    world = await World.open({}, { params: { passes: PASSES } });
    world.wants = () => undefined;
    expect(await finish(await Hand.join(world, { trusted: KEY }))).toEqual(passes(...Array(TILES).fill(PASSES - 1)));
    expect(await world.store.jobs.get(world.job.id)).toMatchObject({ status: 'done', summary: { parts: { waived: 0 } } });
  }, 30_000);
});

describe('the cap of a download', () => {
  const inputs = [{ name: 'scene', hash: 'ab'.repeat(32) as BlobHash, bytes: 300 * MIB }];

  it('is said with hello and may change with any request for work', async () => {
    world = await World.open({}, { inputs });
    const hand = await Hand.join(world);
    expect(await hand.work()).toMatchObject({ leases: [], jobs: [], retryMs: expect.any(Number) });
    const { leases, jobs } = await hand.ask<{ leases: unknown[]; jobs: { inputs: unknown }[] }>('work', { leasesMax: 1, downloadBytesMax: 300 * MIB });
    expect(leases).toHaveLength(1);
    expect(jobs[0]?.inputs).toEqual(inputs);
    const other = await Hand.join(world, { downloadBytesMax: 4096 * MIB });
    expect((await other.work()).leases).toHaveLength(1);
  });

  it.each([0, MIB - 1, 4096 * MIB + 1, 1.5 * MIB + 0.5, '256'])('is a whole number of bytes within its limits, not %j', async (downloadBytesMax) => {
    world = await World.open();
    await expect(Hand.join(world, { downloadBytesMax })).rejects.toThrow('bad_input downloadBytesMax');
    const hand = await Hand.join(world);
    expect(refusal(await hand.raw('work', { leasesMax: 1, downloadBytesMax }))).toEqual(['bad_input', 'downloadBytesMax']);
  });
});

describe('a download that broke off', () => {
  it('goes on from any byte of the blob', async () => {
    world = await World.open();
    const bytes = Uint8Array.from({ length: 200_000 }, (_, at) => at % 251);
    const { hash } = await world.blobs.put([bytes] as unknown as AsyncIterable<Uint8Array>, { bytesMax: MIB });
    expect(hash).toBe(hashOf(bytes));
    /** On a connection of its own, so that the server can close at once. */
    const get = async (range?: string) => {
      const headers = range === undefined ? {} : { range };
      const [response] = (await once(request(`${world.url}/blobs/${hash}`, { agent: false, headers }).end(), 'response')) as [IncomingMessage];
      const pieces: Buffer[] = [];
      for await (const piece of response) pieces.push(piece as Buffer);
      return { status: response.statusCode, headers: response.headers, body: new Uint8Array(Buffer.concat(pieces)) };
    };
    const rest = await get('bytes=150000-');
    expect([rest.status, rest.headers['content-range'], rest.headers['content-length']]).toEqual([206, 'bytes 150000-199999/200000', '50000']);
    expect(rest.body).toEqual(bytes.slice(150_000));
    for (const range of [undefined, 'bytes=0-', 'bytes=200000-', 'bytes=10-20', 'bytes=-5', 'lines=1-', 'bytes=1-,5-', `bytes=${'9'.repeat(30)}-`]) {
      const all = await get(range);
      expect([range, all.status, all.body.byteLength]).toEqual([range, 200, 200_000]);
    }
  });
});
