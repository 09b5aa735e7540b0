import { createHash } from 'node:crypto';
import { Rng, seedOf } from '../../shared/rng.ts';
import { newStanding } from '../core/reputation.ts';
import { SqlStore } from '../store/sql-store.ts';
import { Contributor, personOf, register } from './contributor.testing.ts';
import type { FaultyDatabase } from './database.testing.ts';
import { Host } from './host.testing.ts';
import { type Finding, readResults, wrongAtAnyTime, wrongAtTheEnd } from './invariants.testing.ts';
import { Space } from './line.testing.ts';
import { Machine } from './machine.testing.ts';
import { FAULTS_MS_MAX, type Fault, type Plan, planOf } from './plan.testing.ts';
import { Requester } from './requester.testing.ts';
import { inVirtualTime, START_MS, sleep } from './time.testing.ts';
import { spec } from './work.testing.ts';

/** Of virtual time: leases of 5 minutes may have to run out, and rests after them. */
const ENDS_MS_MAX = 6 * 60_000;
const LOOK_MS = 500;
const EVENTS_SHOWN = 60;

export interface Run {
  readonly seed: number;
  readonly wrong: readonly Finding[];
  /** SHA-256 of all that happened, and when. */
  readonly hash: string;
  /** What happened last. */
  readonly events: readonly string[];
  readonly virtualMs: number;
  readonly acknowledged: number;
  readonly tally: Readonly<
    Record<'kills' | 'pauses' | 'restarts' | 'fenced' | 'lives' | 'packs' | 'accepted' | 'refuted' | 'revoked' | 'audits' | 'cancelled', number>
  >;
}

/**
 * One run of the world that `planOf` makes of a seed: coordinators on one database, contributors over bad lines, and what befalls them. Then everything
 * is orderly again, until all jobs have ended and all pay has vested; then everything has to be there, once.
 */
export async function simulate(database: FaultyDatabase, seed: number): Promise<Run> {
  const plan = planOf(seed);
  const hash = createHash('sha256');
  const events: string[] = [];
  const log = (what: string): void => {
    const line = `${Math.round(Date.now() - START_MS)} ${what}`;
    hash.update(`${line}\n`);
    events.push(line);
  };
  database.begin();
  try {
    return await inVirtualTime(async () => {
      const world = await World.open(database, seed, plan, log);
      const isOver = await world.run();
      const atTheEnd = isOver ? wrongAtTheEnd(database, world.requesters, world.contributors) : world.hanging();
      // A database that somebody holds up for ever cannot be looked at.
      const wrong = database.isQuiet ? [...(await wrongAtAnyTime(database, world.contributors)), ...atTheEnd] : atTheEnd;
      world.stop();
      return {
        seed,
        wrong,
        hash: hash.digest('hex'),
        events: events.slice(-EVENTS_SHOWN),
        virtualMs: Math.round(Date.now() - START_MS),
        acknowledged: world.contributors.reduce((sum, { acknowledged }) => sum + acknowledged.size, 0),
        tally: tallyOf(database, plan),
      };
    });
  } finally {
    database.takeBack();
  }
}

/** How much of what has happened: a world in which nothing does proves nothing. */
function tallyOf(database: FaultyDatabase, { faults }: Plan): Run['tally'] {
  const of = (kind: Fault['kind']): number => faults.filter((fault) => fault.kind === kind).length;
  const results = readResults(database);
  const count = (from: string): number => Number(database.rows<{ count: number }>(`select count(*) as count from ${from}`)[0]?.count);
  return {
    kills: of('kill'),
    pauses: of('pause'),
    restarts: of('restart'),
    fenced: count('coordinators where fenced = 1'),
    lives: count('coordinators'),
    packs: count('result_packs'),
    accepted: results.filter(({ state }) => state === 'accepted').length,
    refuted: results.filter(({ state }) => state === 'refuted').length,
    revoked: count(`transfers where kind = 'void'`),
    audits: count(`transfers where kind = 'audit'`),
    cancelled: count(`jobs where status = 'cancelled'`),
  };
}

class World {
  readonly requesters: readonly Requester[];
  readonly contributors: readonly Contributor[];
  readonly #database: FaultyDatabase;
  readonly #plan: Plan;
  readonly #seed: number;
  readonly #machines: readonly Machine[];
  readonly #orderly: () => void;

  static async open(database: FaultyDatabase, seed: number, plan: Plan, log: (what: string) => void): Promise<World> {
    const store = new SqlStore(database.client(new Host(new Rng(0), { late: 0, lateMsMax: 0 })));
    for (const index of plan.contributors.keys()) await register(store, personOf(index));
    const standing = { ...newStanding(START_MS), accepted: 10, verified: 100 };
    if (plan.areKnown)
      await store.commit(plan.contributors.map((_, index) => ({ kind: 'standing', contributor: personOf(index).id, workload: spec.id, standing })));
    return new World(database, seed, plan, log);
  }

  private constructor(database: FaultyDatabase, seed: number, plan: Plan, log: (what: string) => void) {
    this.#database = database;
    this.#seed = seed;
    this.#plan = plan;
    const rngOf = (...names: number[]): Rng => new Rng(seedOf(seed, 2, ...names));
    const lines = { ...plan.lines };
    const toDatabase = { ...plan.toDatabase };
    this.#orderly = () => {
      Object.assign(lines, { dropped: 0, doubled: 0, cut: 0, late: 0 });
      Object.assign(toDatabase, { late: 0 });
      log('from here on all is orderly');
      // Who has lost an answer finds out when it says hello again, and gives back what it does not know of. Else leases would have to run out, for minutes.
      for (const machine of this.#machines) machine.cutLines();
    };
    const space = new Space(rngOf(0), lines);
    const { aliveMs, vestingMsMax } = plan;
    this.#machines = plan.skewsMs.map(
      (skewMs, index) => new Machine({ name: `#${index}`, database, space, rng: rngOf(1, index), toDatabase, lines, skewMs, aliveMs, vestingMsMax, log }),
    );
    const choice = rngOf(2);
    const choose = (count: number): number => choice.below(count);
    this.contributors = plan.contributors.map(({ lies, address, computeMsMax }, index) => {
      const person = personOf(index);
      const connect = async (fact: (name: string, message: unknown) => void) => this.#machines[choose(this.#machines.length)]!.connect(address, fact);
      return new Contributor({ person, rng: rngOf(3, index), lies, computeMsMax, connect, log: (what) => log(`${person.id}: ${what}`) });
    });
    this.requesters = plan.jobs.map((job, index) => new Requester(index + 1, job, this.#machines, choose, log));
  }

  /** False: something has not ended. */
  async run(): Promise<boolean> {
    for (const machine of this.#machines) void machine.start();
    for (const contributor of this.contributors) contributor.start();
    for (const requester of this.requesters) void requester.run(this.#seed);
    for (const fault of this.#plan.faults) setTimeout(() => void this.#befall(fault), fault.atMs);
    setTimeout(this.#orderly, FAULTS_MS_MAX);
    while (Date.now() - START_MS < ENDS_MS_MAX) {
      await sleep(LOOK_MS);
      if (this.#database.isQuiet && this.#isOver()) return true;
    }
    return false;
  }

  async #befall(fault: Fault): Promise<void> {
    if (fault.kind === 'restart') {
      this.#database.goAway();
      await sleep(fault.awayMs);
      this.#database.comeBack();
      return;
    }
    const machine = this.#machines[fault.machine]!;
    if (fault.kind === 'pause') await machine.pause(fault.pauseMs);
    else {
      machine.kill();
      await sleep(fault.downMs);
      if (!machine.isUp) await machine.start();
    }
  }

  #isOver(): boolean {
    return this.requesters.every(({ isDone }) => isDone) && this.#left().length === 0;
  }

  #left(): { readonly what: string }[] {
    return this.#database.rows(
      `select 'job ' || id || ' is open' as what from jobs where status = 'open'
       union all select 'pay for ' || id || ' is vesting' from results where vests_at_ms is not null`,
    );
  }

  hanging(): Finding[] {
    const waiting = this.requesters.flatMap(({ id, isDone }) => (isDone ? [] : [`the request for ${id} is not answered`]));
    return [...waiting, ...this.#left().map(({ what }) => what)].map((what) => `it does not come to an end: ${what}`);
  }

  stop(): void {
    for (const contributor of this.contributors) contributor.stop();
    for (const machine of this.#machines) machine.kill();
  }
}
