import { availableParallelism } from 'node:os';
import { comparator } from './comparator.bench.ts';
import { type Cell, type CellReport, runGrid } from './sim/grid.ts';
import { kinds } from './sim/kinds/index.ts';
import { policies } from './sim/policies.ts';
import { type SimReport, simDefaults } from './sim/simulate.ts';

const LIARS = [0.05, 0.2, 0.4];
/** A seventh of what `npm run sim` has, so that the grid is done within minutes: the same half hour, the same habits. */
const CONTRIBUTORS = 300;
const SEED = 1;
/** Cases of the comparator. */
const COMPARED = 1000;
const TARGETS: readonly { readonly figure: string; readonly most: number }[] = [
  { figure: 'overhead_20', most: 1.05 },
  { figure: 'wasted_20', most: 1.3 },
  { figure: 'wrong_share_20', most: 1e-4 },
  { figure: 'wrong_share_40', most: 1e-3 },
  { figure: 'false_accusations', most: 0 },
];

/** What is worst about a policy over the kinds, by the name in the figures. */
const measured = { overhead: 'overhead', wasted: 'wasted', wrong_share: 'wrongShare', patch: 'patch' } as const satisfies Record<string, keyof SimReport>;

/**
 * Every kind of liar against every policy, in the same worlds (server/sim/README.md has them and the figures). Of each figure the worst
 * kind counts; another kind may be the worst of another figure. It could be gamed by leaving kinds out, or by a world in which contributors
 * do so much that getting to know them costs nothing: here the median one does half a dozen tiles, with an empty history at the start.
 * The comparator's two figures are those of the suite `comparator`, which has their definition and the rest of its figures.
 */
export async function bench(): Promise<{ suite: string; figures: Record<string, number>; notes: string[] }> {
  const cells = LIARS.flatMap((liars) =>
    Object.keys(policies).flatMap((policy) =>
      Object.keys(kinds).map((kind): Cell => ({ ...simDefaults, seed: SEED, contributors: CONTRIBUTORS, policy, liars, kind })),
    ),
  );
  const started = performance.now();
  const reports = await runGrid(longestFirst(cells), Math.min(2, availableParallelism()));
  const figures: Record<string, number> = {};
  const worst: string[] = [];
  for (const policy of Object.keys(policies))
    for (const liars of LIARS) {
      const among = reports.filter(({ cell }) => cell.policy === policy && cell.liars === liars);
      const prefix = policy === 'ours' ? '' : `${policy}_`;
      const suffix = `_${(100 * liars).toFixed(0).padStart(2, '0')}`;
      const named = Object.entries(measured).map(([name, key]) => {
        const { cell, report } = worstOf(among, key);
        figures[`${prefix}${name}${suffix}`] = report[key];
        return `${name} ${cell.kind}`;
      });
      worst.push(`worst kinds, ${policy}, ${100 * liars} % liars: ${named.join(', ')}.`);
    }
  const ours = reports.filter(({ cell }) => cell.policy === 'ours');
  figures.false_accusations = worstOf(ours, 'falseAccusations').report.falseAccusations;
  figures.cpu_ms_per_tile_20 = worstOf(ours, 'cpuMsPerTile', 0.2).report.cpuMsPerTile;
  figures.cpu_seconds_per_gpu_second_20 = worstOf(ours, 'cpuSecondsPerGpuSecond', 0.2).report.cpuSecondsPerGpuSecond;
  figures.detection_seconds_20 = Math.max(...ours.filter(({ cell }) => cell.liars === 0.2).map(({ report }) => report.detectionSeconds ?? 0));
  figures.idle_20 = worstOf(ours, 'idle', 0.2).report.idle;
  const notes = notesOf(reports, performance.now() - started);
  const compared = await comparator({ cases: COMPARED });
  for (const name of ['comparator_true_positive', 'comparator_false_positive']) figures[name] = compared.figures[name]!;
  return { suite: 'trust', figures, notes: [...notes, ...missed(figures), ...worst, ...compared.notes] };
}

/** The thread that gets the last simulation should not have the longest. */
const longestFirst = (cells: readonly Cell[]): Cell[] => cells.toSorted((a, b) => Number(b.policy === 'ours') - Number(a.policy === 'ours'));

function worstOf(reports: readonly CellReport[], key: NumericKey, liars?: number): CellReport {
  const among = liars === undefined ? reports : reports.filter(({ cell }) => cell.liars === liars);
  return among.reduce((worst, each) => (each.report[key] > worst.report[key] ? each : worst));
}

type NumericKey = { [K in keyof SimReport]: SimReport[K] extends number ? K : never }[keyof SimReport];

function notesOf(reports: readonly CellReport[], ms: number): string[] {
  const ours = reports.filter(({ cell }) => cell.policy === 'ours');
  const tiles = ours.reduce((sum, { report }) => sum + report.tiles, 0);
  return [
    `${reports.length} worlds of ${CONTRIBUTORS} contributors in ${60 * simDefaults.hours} minutes each, seed ${SEED}, trusted contributors with ${100 * simDefaults.trusted} % of the capacity, ${Object.keys(kinds).length} kinds of liars; ${(ms / 1000).toFixed(0)} s.`,
    `false_accusations: of ${Math.round(tiles).toLocaleString('en-US')} useful tiles in all worlds of ours; the upper 95 % bound of none seen is ${(3e6 / tiles).toFixed(1)} in 10^6.`,
  ];
}

const missed = (figures: Readonly<Record<string, number>>): string[] =>
  TARGETS.filter(({ figure, most }) => !(figures[figure]! <= most)).map(
    ({ figure, most }) => `MISSED: ${figure} is ${figures[figure]!.toPrecision(4)}, the target is ${most}.`,
  );
