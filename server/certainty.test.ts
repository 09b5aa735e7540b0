import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { spec as render } from '../shaders/render/spec.ts';
import { fullMask, type JobContext, type JobId } from '../shared/model.ts';
import { Rng } from '../shared/rng.ts';
import type { WorkloadSpec } from '../shared/workload.ts';
import { drawElements } from './core/draw.ts';
import { priceJob } from './core/pricing.ts';
import { newStanding, type Standing, vestingMs } from './core/reputation.ts';
import { allowedMisses, drawCount, errorBound, secondDrawCount } from './core/verifier.ts';

/** The numbers of docs/certainty.md, computed anew by the functions that it names. */

const document = readFileSync(join(import.meta.dirname, '../docs/certainty.md'), 'utf8');
const said = document.replaceAll(/[*`]/g, '');

/** The cells below the table's head that begins so. */
function tableOf(head: string): string[][] {
  const rows = said
    .slice(said.indexOf(`| ${head}`))
    .split('\n\n')[0]!
    .split('\n')
    .slice(2);
  expect(rows.length, head).toBeGreaterThan(1);
  return rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

const whole = (value: number): string => value.toLocaleString('en-US');
const percent = (share: number, digits = 1): string => `${(share * 100).toFixed(digits)} %`;
/** Two significant digits, as the document has them. */
const short = (value: number): string => (value >= 0.01 ? value.toPrecision(2) : value.toExponential(1));

const SIZE = 4096;
const TARGET = 1e-4;
const standing = (verified: number): Standing => ({ ...newStanding(0), verified });
const evidence = (drawn: number) => [{ by: 'cpu' as const, drawn, differing: 0, unexplained: 0, worst: 0, cpuMs: 0 }];
const first = drawCount(TARGET, standing(0), SIZE, 'cpu');
const least = drawCount(TARGET, standing(1e9), SIZE, 'cpu');

test('what a draw finds', () => {
  const rows = tableOf('Wrong share of the result').map(([, ...cells]) => cells);
  const shares = [0.1, 0.01, 0.001, 1 / SIZE];
  expect(rows).toEqual(shares.map((share) => [least, first].map((drawn) => short((1 - share) ** drawn))));
  // Real draws of real commitments miss as often as that.
  const rng = new Rng(1);
  const tries = 2000;
  const wrong = Math.round(SIZE / 100);
  let missed = 0;
  for (let n = 0; n < tries; n++) {
    const { elements } = drawElements(
      fullMask(1),
      SIZE,
      Uint8Array.from({ length: 32 }, () => rng.below(256)),
      least,
    );
    if (elements.every((element) => element >= wrong)) missed++;
  }
  const chance = (1 - wrong / SIZE) ** least;
  expect(Math.abs(missed / tries - chance)).toBeLessThan(4 * Math.sqrt((chance * (1 - chance)) / tries));
});

test('what may pass at most', () => {
  const mostOf = (damage: (share: number) => number): number => Math.max(...Array.from({ length: 100_000 }, (_, at) => damage(at / 1e6)));
  for (const drawn of [least, first]) {
    const bound = 1 / (Math.E * drawn);
    expect(said).toContain(`${short(bound)} for ${drawn}`);
    const most = mostOf((share) => share * (1 - share) ** drawn);
    expect(most).toBeLessThanOrEqual(bound);
    expect(most).toBeGreaterThan(0.99 * bound);
  }
  // Found once, and not again: of two draws that know nothing of each other.
  const again = secondDrawCount(first, SIZE);
  const oneAlone = mostOf((share) => first * share ** 2 * (1 - share) ** (first - 1 + again));
  expect(said).toContain(`adds at most ${Math.ceil(oneAlone * Math.E * first * 100)} %`);
});

test('one device, from its first result on', () => {
  const rows = tableOf('Results before');
  expect(rows.map(([before]) => Number(before))).toEqual([0, 1, 10, 100]);
  for (const [before, ...cells] of rows) {
    const record = standing(Number(before) * SIZE);
    const drawn = drawCount(TARGET, record, SIZE, 'cpu');
    expect(cells).toEqual([
      whole(record.verified),
      whole(drawn),
      whole(drawCount(TARGET, record, SIZE, 'contributor')),
      percent(drawn / SIZE),
      errorBound(record, SIZE, evidence(drawn)).toExponential(1),
      `${Math.round(vestingMs(600_000, record, SIZE) / 1000)} s`,
    ]);
  }
  expect(said).toContain(
    `= ${(0.2 / (Math.E * TARGET)).toFixed(1)}, so ${first} values are drawn; 0.2 / (e × ${first}) = ${(0.2 / (Math.E * first)).toExponential(1)}`,
  );
});

test('when something is wrong', () => {
  expect(said).toContain(`more than ${allowedMisses(first, render.tolerance.unexplainedRate)} of ${first}`);
  expect(said).toContain(`four times as many are drawn, ${whole(secondDrawCount(first, SIZE))} here`);
});

test('what checking costs', () => {
  const [setAside, drawn] = tableOf('Ordered: wrong values at most').map(([, ...cells]) => cells);
  const targets = [1e-2, 1e-3, 1e-4, 1e-5, 1e-6];
  // A job of one part worth 10,000 micro-credits.
  const spec = { ...render, split: () => ({ passes: 1, tiles: 1 }), parts: () => 1, work: () => 10_000 } as unknown as WorkloadSpec;
  const job: JobContext = { id: 'j_certainty0000000' as JobId, seed: 1, params: {}, prepared: {} };
  const price = (targetError: number) => priceJob(spec, job, { targetError }, 1_000_000n);
  expect(setAside).toEqual(targets.map((target) => percent(Number(price(target).checks) / Number(price(target).work), 0)));
  expect(drawn).toEqual(targets.map((target) => whole(drawCount(target, standing(0), SIZE, 'cpu'))));
});
