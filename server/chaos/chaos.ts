import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import pg from 'pg';
import type { ConsentId, ContributorId, JobId, OwnerId } from '../../shared/model.ts';
import { Rng } from '../../shared/rng.ts';
import { holds } from '../core/ledger.ts';
import { cutJob } from '../cutting.ts';
import { freePort } from '../free-port.testing.ts';
import { issuedJob } from '../order.testing.ts';
import { postgresUrl, startPostgres } from '../store/postgres.testing.ts';
import { openPostgresStore } from '../store/postgres.ts';
import type { Store } from '../store/store.ts';
import { ChaosContributor, type Faults, type Identity } from './contributor.ts';
import { chaosSpec, TILES } from './shape.ts';

/*
 * `npm run chaos`: two coordinators on one PostgreSQL with fsync on, contributors over bad lines, and somebody who kills coordinators with -9 and
 * has the database crash and start again, over and over. Afterwards everything has to be there, once.
 */

const NEVER_MS = 1e15;
const ENDS_MS_MAX = 120_000;
const KILL_MS = [1500, 4500] as const;
/** Every so many kills the database crashes as well. */
const DATABASE_EVERY = 10;
const OPEN_JOBS = 3;

interface Options {
  readonly kills: number;
  readonly contributors: number;
  readonly seed: number;
  readonly faults: Faults;
}

export interface ChaosReport {
  readonly kills: number;
  readonly databaseRestarts: number;
  readonly jobs: number;
  readonly acknowledged: number;
  /** Acknowledged results that the database does not have, or that were dropped although their contributor opened them. */
  readonly acknowledgedLost: number;
  readonly unopened: number;
  readonly doublePayments: number;
  readonly imbalance: Readonly<Record<string, string>>;
  readonly jobsOpen: number;
  readonly seconds: number;
  readonly refusals: Readonly<Record<string, number>>;
}

/** A coordinator on a port of its own that is killed and started again. */
class Victim {
  readonly port: number;
  readonly #url: string;
  readonly #blobs: string;
  #child: ChildProcess | undefined;

  constructor(url: string, blobs: string, port: number) {
    this.#url = url;
    this.#blobs = blobs;
    this.port = port;
  }

  async start(): Promise<void> {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'process.ts'), this.#url, this.#blobs, String(this.port)], {
      stdio: ['pipe', 'pipe', process.env.CHAOS_LOG ? 'inherit' : 'ignore'],
    });
    this.#child = child;
    await once(createInterface(child.stdout!), 'line');
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (!child) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }
}

async function register(store: Store, count: number): Promise<Identity[]> {
  return Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const suffix = index.toString().padStart(16, '0');
      const secret = createHash('sha256').update(suffix).digest();
      const [id, consent] = [`c_${suffix}` as ContributorId, `k_${suffix}` as ConsentId];
      await store.people.createContributor({
        id,
        secretHash: createHash('sha256').update(secret).digest(),
        owner: `device:${suffix}` as OwnerId,
        createdMs: 0,
      });
      const grant = { kinds: [chaosSpec.id], site: null, powerPercent: 100, grantedMs: Date.now(), expiresMs: NEVER_MS, revokedMs: null };
      await store.people.createConsent({ id: consent, contributor: id, ...grant });
      return { id, secret: secret.toString('base64url'), consent };
    }),
  );
}

async function order(store: Store, number: number): Promise<JobId> {
  const context = { id: `j_${number.toString().padStart(16, '0')}` as JobId, seed: number, params: {}, prepared: {} };
  const job = issuedJob(chaosSpec, context, 1_000_000n, { title: `chaos ${number}` });
  await store.jobs.create(job, holds(job));
  await cutJob(store, job, TILES);
  await store.sharing.tell(0, 'job', job.id);
  return job.id;
}

/** The parent's own calls go through while the database is away. */
async function insist<T>(run: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await run();
    } catch (error) {
      if (attempt >= 50) throw error;
      await wait(200);
    }
  }
}

export async function chaos({ kills, contributors, seed, faults }: Options): Promise<ChaosReport> {
  const startedMs = performance.now();
  const rng = new Rng(seed);
  const folder = await mkdtemp(join(tmpdir(), 'tessera-chaos-'));
  const database = await startPostgres({ fsync: true });
  const url = postgresUrl(database.port, 'postgres');
  const store = await openPostgresStore(url);
  const identities = await register(store, contributors);
  const victims = [new Victim(url, folder, await freePort()), new Victim(url, folder, await freePort())];
  await Promise.all(victims.map((victim) => victim.start()));
  const ports = victims.map(({ port }) => port);
  const people = identities.map((identity, index) => new ChaosContributor(identity, ports, faults, new Rng(seed + 1000 + index)));
  const jobs: JobId[] = [];
  let [databaseRestarts, isOrdering] = [0, true];
  const ordering = (async () => {
    while (isOrdering) {
      const open = await insist(() => store.jobs.list({ status: 'open', limit: 100 }));
      for (let more = open.length; more < OPEN_JOBS; more++) {
        const number = jobs.length + 1;
        // Not repeated: an answer that was lost may have been a job that is there.
        const id = await order(store, number).catch(() => undefined);
        jobs.push(id ?? (`j_${number.toString().padStart(16, '0')}` as JobId));
      }
      await wait(500);
    }
  })();
  const working = people.map((person) => person.run());
  for (let kill = 1; kill <= kills; kill++) {
    await wait(KILL_MS[0] + rng.unit() * (KILL_MS[1] - KILL_MS[0]));
    const victim = victims[Math.floor(rng.unit() * victims.length)]!;
    await victim.kill();
    await insist(() => victim.start());
    if (kill % DATABASE_EVERY !== 0) continue;
    await database.crash();
    databaseRestarts++;
  }
  isOrdering = false;
  await ordering;
  const endsMs = performance.now() + ENDS_MS_MAX;
  while ((await insist(() => store.jobs.list({ status: 'open', limit: 100 }))).length > 0 && performance.now() < endsMs) await wait(500);
  for (const person of people) person.stop();
  await Promise.all(working);
  for (const victim of victims) await victim.kill();
  const report = await look(url, store, people);
  await store.close();
  await database.stop();
  await rm(folder, { recursive: true, force: true });
  return { kills, databaseRestarts, jobs: jobs.length, ...report, seconds: Math.round((performance.now() - startedMs) / 1000) };
}

async function look(
  url: string,
  store: Store,
  people: readonly ChaosContributor[],
): Promise<Omit<ChaosReport, 'kills' | 'databaseRestarts' | 'jobs' | 'seconds'>> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const rowsOf = async <Row>(sql: string, values: unknown[] = []): Promise<Row[]> => (await client.query(sql, values)).rows as Row[];
  const acknowledged = people.flatMap((person) => [...person.acknowledged]);
  const states = new Map(
    (await rowsOf<{ id: string; state: string; opening_hash: string | null }>('select id, state, opening_hash from results')).map((row) => [row.id, row]),
  );
  // Whoever was cut off for longer than a result waits for its opening loses it, and says so by no opening.
  const lost = acknowledged.filter((id) => !states.has(id) || (states.get(id)?.state !== 'accepted' && states.get(id)?.opening_hash !== null));
  const unopened = acknowledged.filter((id) => states.get(id)?.state !== 'accepted' && states.get(id)?.opening_hash === null);
  const twice = await rowsOf(`select job, tile from results where state = 'accepted' group by job, tile having count(*) > 1`);
  const paid = await rowsOf(
    `select results.id from results left join transfers on transfers.id = 'pay/' || results.id where state = 'accepted' and transfers.id is null`,
  );
  const open = await rowsOf(`select id from jobs where status = 'open'`);
  await client.end();
  const audit = await store.ledger.audit();
  const refusals: Record<string, number> = {};
  for (const person of people) for (const [code, count] of person.refusals) refusals[code] = (refusals[code] ?? 0) + count;
  return {
    acknowledged: acknowledged.length,
    acknowledgedLost: lost.length,
    unopened: unopened.length,
    doublePayments: twice.length + paid.length,
    imbalance: Object.fromEntries(audit.map(({ unit, sum, wrongAccounts }) => [unit, `${sum} (${wrongAccounts} wrong accounts)`])),
    jobsOpen: open.length,
    refusals,
  };
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      kills: { type: 'string', default: '50' },
      contributors: { type: 'string', default: '12' },
      seed: { type: 'string', default: '1' },
    },
  });
  const faults = { dropped: 0.02, doubled: 0.05, late: 0.1, lateMsMax: 300 };
  const report = await chaos({ kills: Number(values.kills), contributors: Number(values.contributors), seed: Number(values.seed), faults });
  console.log(JSON.stringify(report));
  const isRight =
    report.acknowledgedLost === 0 &&
    report.doublePayments === 0 &&
    report.jobsOpen === 0 &&
    Object.values(report.imbalance).every((text) => text === '0 (0 wrong accounts)');
  process.exit(isRight ? 0 : 1);
}
