import { expect, test } from 'vitest';
import { toHex } from '../../shared/formats.ts';
import { limits } from '../../shared/limits.ts';
import { type Ack, type HandedIn, type Lease, PROTOCOL_VERSION, type Welcome, type Work } from '../../shared/protocol.ts';
import { Rng } from '../../shared/rng.ts';
import { holds } from '../core/ledger.ts';
import { issuedJob } from '../order.testing.ts';
import { SqlStore } from '../store/sql-store.ts';
import { type Person, personOf, register } from './contributor.testing.ts';
import { Host } from './host.testing.ts';
import { type Line, Space } from './line.testing.ts';
import { Machine } from './machine.testing.ts';
import { withDatabase } from './runs.testing.ts';
import { inVirtualTime, sleep } from './time.testing.ts';
import { compute, hashOf, jobIdOf, RATE, spec } from './work.testing.ts';

const lines = { dropped: 0, doubled: 0, cut: 0, late: 0, lateMsMax: 0 };
const CLAIMED_MS = 2000;
const GIVEN_BACK_MS = 15_000;
const ANSWERED_MS = 3000;

async function asked<T>(line: Line, command: string, message: object): Promise<T> {
  const ack = (await line.ask(command, message)) as Ack<T>;
  if ('error' in ack) throw new Error(`${command}: ${ack.error.code} ${ack.error.message}`);
  return ack.data;
}

async function enter(machine: Machine, { id, consent, secret }: Person): Promise<Line> {
  const line = machine.connect('10.0.0.1', () => undefined)!;
  const device = { vendor: 'x', architecture: '', backend: 'none', description: '', software: true };
  const who = { protocol: PROTOCOL_VERSION, contributor: id, secret: secret.toString('base64url'), consent };
  await asked<Welcome>(line, 'hello', { ...who, device, downloadBytesMax: limits.downloadBytesDefault });
  return line;
}

test('who comes back elsewhere with a tile that no coordinator has, and wants nothing else, gets rid of it at once', () =>
  withDatabase(async (database) => {
    database.begin();
    const space = new Space(new Rng(0), lines);
    const clocks = { toDatabase: { late: 0, lateMsMax: 0 }, lines, skewMs: 0, aliveMs: 3000, vestingMsMax: 1000, log: () => undefined };
    const machines = ['#0', '#1'].map((name, index) => new Machine({ name, database, space, rng: new Rng(index), ...clocks })) as [Machine, Machine];
    const people = [personOf(0), personOf(1), personOf(2)] as const;
    try {
      await inVirtualTime(async () => {
        const store = new SqlStore(database.client(new Host(new Rng(0), { late: 0, lateMsMax: 0 })));
        for (const person of people) await register(store, person);
        for (const machine of machines) await machine.start();
        const job = issuedJob(spec, { id: jobIdOf(1), seed: 1, params: { passes: 1, tiles: 6 }, prepared: {} }, RATE);
        await store.jobs.create(job, holds(job));
        await machines[0].running!.coordinator.begin(job);
        const leased: { readonly line: Line; readonly lease: Lease }[] = [];
        for (const person of people) {
          const line = await enter(machines[0], person);
          await sleep(CLAIMED_MS);
          const { leases } = await asked<Work>(line, 'work', { leasesMax: 1 });
          leased.push({ line, lease: leases[0]! });
        }
        // All go, and all blocks are nobody's. Of the tiles the other coordinator will claim the first one for who is there.
        for (const { line, lease } of leased) await asked<null>(line, 'giveBack', { tokens: [lease.token] });
        machines[0].cutLines();
        await sleep(GIVEN_BACK_MS);
        expect(await store.sharing.unclaimed(job.id)).toBe(6);
        const last = leased[2]!.lease;
        expect(leased.map(({ lease }) => lease.at.tile)).toEqual([0, 0, 1]);
        const line = await enter(machines[1], people[2]);
        const made = compute(last, false);
        const message = {
          token: last.token,
          parts: last.parts,
          root: toHex(made.root),
          hash: hashOf(made.result),
          inline: Buffer.from(made.result),
          computeMs: 1,
        };
        const handIn = () => line.ask('handIn', { ...message, leasesMax: 0 }) as Promise<Ack<HandedIn>>;
        expect(await handIn()).toMatchObject({ error: { code: 'busy' } });
        await sleep(ANSWERED_MS);
        expect(await handIn()).toMatchObject({ data: { stored: true } });
      });
    } finally {
      for (const machine of machines) machine.kill();
      database.takeBack();
    }
  }));
