import { createHash } from 'node:crypto';
import { Rng, seedOf } from '../../shared/rng.ts';
import { SqlStore } from '../store/sql-store.ts';
import { Contributor, personOf, register } from './contributor.testing.ts';
import type { FaultyDatabase } from './database.testing.ts';
import { Host } from './host.testing.ts';
import { type Finding, wrongOf } from './invariants.testing.ts';
import { Space } from './line.testing.ts';
import { Machine } from './machine.testing.ts';
import { FAULTS_MS_MAX, type Fault, type Plan, planOf } from './plan.testing.ts';
import { Requester } from './requester.testing.ts';
import { inVirtualTime, START_MS, sleep } from './time.testing.ts';

/** Of virtual time: leases of 5 minutes may have to run out, and rests after them. */
const ENDS_MS_MAX = 10 * 60_000;
const LOOK_MS = 500;
const EVENTS_SHOWN = Number(process.env.SHOWN ?? 60);

export interface Run {
  readonly seed: number;
  readonly wrong: readonly Finding[];
  /** SHA-256 of all that happened, and when. */
  readonly hash: string;
  /** What happened last. */
  readonly events: readonly string[];
  readonly virtualMs: number;
  readonly acknowledged: number;
  readonly accepted: number;
  readonly kills: number;
  readonly epochs: number;
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
      const wrong = isOver ? await wrongOf(database, world.requesters, world.contributors) : world.hanging();
      world.stop();
      return {
        seed,
        wrong,
        hash: hash.digest('hex'),
        events: events.slice(-EVENTS_SHOWN),
        virtualMs: Math.round(Date.now() - START_MS),
        acknowledged: world.contributors.reduce((sum, { acknowledged }) => sum + acknowledged.size, 0),
        accepted: database.rows(`select id from results where state = 'accepted'`).length,
        kills: plan.faults.filter(({ kind }) => kind === 'kill').length,
        epochs: database.rows('select epoch from coordinators').length,
      };
    });
  } finally {
    database.takeBack();
  }
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
    if (process.env.SEED) for (const m of this.#machines) {
      console.log('MACHINE', m.running?.coordinator.epoch);
      const st = m.running?.coordinator.state;
      for (const j of st?.jobs.values() ?? []) console.log(j.stored.id, 'share', j.share?.map(b => b.number).join(), 'total', j.partsTotal, j.partsAccepted, j.partsChecking, j.partsLeased, j.undecided, j.closing, j.paused, 'peek', j.blocks.peek(), j.blocks.isHere(0), j.blocks.free(0), j.blocks.held(0), j.blocks.leased(0), j.pace);
      for (const c of st?.contributors.values() ?? []) console.log(c.id, c.connected, c.leases.size, c.undecided, c.speed, c.restUntilMs, JSON.stringify([...c.standings.values()]), c.vesting.length, JSON.stringify([...c.leases.values()].map(l => [l.job, l.at, l.parts, l.deadlineMs])), c.questions.length);
      console.log(JSON.stringify([this.#database.rows("select job, number, owner,touched,closed from blocks where job in (select id from jobs where status = 'open')"), this.#database.rows("select id, status, closing, paused from jobs"), this.#database.rows('select * from coordinators'), this.#database.rows('select id,job,tile,parts,state,contributor,epoch,attempt,opening_hash from results')], (_, v) => typeof v === 'bigint' ? String(v) : v).replaceAll('},','},\n'));
    }
    return [...waiting, ...this.#left().map(({ what }) => what)].map((what) => `it does not come to an end: ${what}`);
  }

  stop(): void {
    for (const contributor of this.contributors) contributor.stop();
    for (const machine of this.#machines) machine.kill();
  }
}
