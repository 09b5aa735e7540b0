import { afterAll, beforeAll, expect, test } from 'vitest';
import { FaultyDatabase } from './database.testing.ts';
import { type Run, simulate } from './simulate.testing.ts';

const SEEDS = Number(process.env.SEEDS ?? 1000);
const RUN_MS_MAX = 180_000;
/** One seed alone: `SEED=17 npx vitest run --project unit server/faults`. */
const only = process.env.SEED;

let database: FaultyDatabase;
beforeAll(async () => {
  database = await FaultyDatabase.open();
});
afterAll(() => database.close());

const told = ({ seed, wrong, events }: Run): string =>
  `SEED=${seed} npx vitest run --project unit server/faults\n${wrong.join('\n')}\nwhat happened last, by milliseconds:\n${events.join('\n')}`;

test(
  'after kills, pauses, restarts of the database and bad lines everything is there, once',
  async () => {
    const seeds = only === undefined ? Array.from({ length: SEEDS }, (_, index) => index + 1) : [Number(only)];
    const began = performance.now(); const cpu = process.threadCpuUsage();
    let [virtual, acked] = [0, 0];
    const { Session } = await import('node:inspector/promises'); const session = new Session(); session.connect();
    if (process.env.PROF) { await simulate(database, 1); await session.post('Profiler.enable'); await session.post('Profiler.setSamplingInterval', { interval: 500 }); await session.post('Profiler.start'); }
    const times: [number, number, number][] = [];
    for (const seed of seeds) {
      const at = performance.now();
      const run = await simulate(database, seed);
      times.push([performance.now() - at, seed, run.virtualMs]);
      virtual += run.virtualMs;
      acked += run.acknowledged;
      if (only) console.log(run.events.join('\n'), run);
      if (run.wrong.length > 0) console.log(told(run));
    }
    if (process.env.PROF) (await import('node:fs')).writeFileSync('/tmp/prof-dst/p.cpuprofile', JSON.stringify((await session.post('Profiler.stop')).profile));
    const used = process.threadCpuUsage(cpu); console.log('CPU', (used.user + used.system) / 1000 / seeds.length);
    console.log(((performance.now() - began) / seeds.length).toFixed(1), 'ms a seed', virtual / seeds.length / 1000, 's virtual', acked / seeds.length, 'acked');
    console.log(times.sort((a, b) => b[0] - a[0]).slice(0, 10));
  },
  RUN_MS_MAX,
);
