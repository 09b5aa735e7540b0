import { Worker } from 'node:worker_threads';
import '../shaders/raw-hooks.ts';
import { type Devices, openDevices } from '../shaders/render/testing/comparator/devices.ts';
import { hardLies, type LieName, lies } from '../shaders/render/testing/comparator/lies.ts';
import { type Picture, preparePictures } from '../shaders/render/testing/comparator/pictures.ts';
import { type RoundingName, roundings } from '../shaders/render/testing/comparator/pushedKernel.ts';
import type { Case, FromThread, Outcome, Reputation, ToThread } from './comparator.testing.ts';

/**
 * Honest and lying results of the gallery's pictures, each drawn from, recomputed and decided as the coordinator does it
 * (comparator.testing.ts): how many liars are refused, how many honest ones. Seeds are equal: both sides trace the same paths.
 *
 * A figure could be gamed by lies that hardly change anything, or by many cases of one picture; so a lie has to show in 1 % of its tile
 * to count, and all scenes, sizes and kinds have equally many cases, each with a seed, a tile, a pass and a draw of its own.
 */

const SIZES = [64, 128, 256, 512, 1024] as const;
/** Paths per pixel: one part of 16, four of 16, eight of 32 in two passes. */
const SAMPLES = [16, 64, 256] as const;
const THREADS = 2;
const reputations: readonly Reputation[] = ['newcomer', 'record'];
const CASES = 1400;

export interface ComparatorFigures {
  readonly figures: Readonly<Record<string, number>>;
  readonly notes: readonly string[];
}

interface Decided {
  readonly one: Case;
  readonly picture: Picture;
  readonly outcome: Outcome;
}

/** `cases`: at least so many that count, in whole rounds over all scenes, sizes and kinds. Throws where no Chromium with WebGPU is found. */
export async function comparator({ cases = CASES }: { cases?: number } = {}): Promise<ComparatorFigures> {
  const pictures = await preparePictures(SIZES);
  const devices = await openDevices(new Map(pictures.map(({ scene, packed }) => [scene, packed])));
  try {
    const started = performance.now();
    const decided = await decideAll(plan(pictures.length, cases), pictures, devices);
    return report(decided, devices.name, (performance.now() - started) / 1000);
  } finally {
    await devices.close();
  }
}

export const bench = async (): Promise<{ suite: string } & ComparatorFigures> => ({ suite: 'comparator', ...(await comparator()) });

/** Rounds over all pictures. Each has, of every picture, one of every lie by a newcomer and one by somebody with a record, and honest results of both. */
function plan(pictures: number, cases: number): Case[] {
  const devices = Object.keys(roundings) as RoundingName[];
  const planned: Case[] = [];
  const add = (picture: number, reputation: Reputation, author: Case['author']): void => {
    const index = planned.length;
    planned.push({ index, picture, samples: SAMPLES[index % SAMPLES.length]!, reputation, author });
  };
  for (let round = 0, counted = 0; counted < cases; round++)
    for (let picture = 0; picture < pictures; picture++) {
      for (const reputation of reputations) {
        for (let honest = 0; honest < HONEST_A_ROUND[reputation]; honest++)
          add(picture, reputation, { honest: devices[(round + picture + honest) % devices.length]! });
        for (const lie of Object.keys(lies) as LieName[]) add(picture, reputation, { lie });
        counted += HONEST_A_ROUND[reputation] + Object.keys(lies).length;
        for (const lie of Object.keys(hardLies) as LieName[]) add(picture, reputation, { lie });
      }
    }
  return planned;
}
/** A newcomer's honest result costs ten times as much to check as one with a record. */
const HONEST_A_ROUND: Readonly<Record<Reputation, number>> = { newcomer: 2, record: 6 };

/** The threads take the cases in order; claims of honest devices come from the browser. */
async function decideAll(cases: readonly Case[], pictures: readonly Picture[], devices: Devices): Promise<Decided[]> {
  const decided: Decided[] = [];
  let next = 0;
  const thread = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL('./comparator.worker.ts', import.meta.url), { workerData: { pictures } });
      let current: Case | undefined;
      const say = (message: ToThread): void => worker.postMessage(message);
      const advance = (): void => {
        current = cases[next++];
        if (current) say({ kind: 'case', one: current });
        else worker.terminate().then(() => resolve(), reject);
      };
      worker.on('error', reject);
      worker.on('exit', (code) => current && reject(new Error(`a thread ended with ${code} in the middle of a case`)));
      worker.on('message', (message: FromThread) => {
        if (!current) return reject(new Error('a thread answered without a case'));
        const picture = pictures[current.picture]!;
        if (message.kind === 'done') {
          decided.push({ one: current, picture, outcome: message.outcome });
          return advance();
        }
        devices.claim(picture.scene, message.job, message.rounding, message.elements).then((values) => say({ kind: 'claims', values }), reject);
      });
      advance();
    });
  await Promise.all(Array.from({ length: THREADS }, thread));
  return decided;
}

const isHonest = ({ one }: Decided): boolean => 'honest' in one.author;
const lieOf = ({ one }: Decided): string | undefined => ('lie' in one.author ? one.author.lie : undefined);
const deviceOf = ({ one }: Decided): string | undefined => ('honest' in one.author ? one.author.honest : undefined);
const isRefused = ({ outcome }: Decided): boolean => outcome.verdict === 'refuted' || outcome.verdict === 'discarded';
const sum = (decided: readonly Decided[], of: (outcome: Outcome) => number): number => decided.reduce((total, { outcome }) => total + of(outcome), 0);

function shareRefused(decided: readonly Decided[]): number {
  if (decided.length === 0) throw new RangeError('no case to count');
  return decided.filter(isRefused).length / decided.length;
}

function report(all: readonly Decided[], device: string, seconds: number): ComparatorFigures {
  const shown = all.filter(({ outcome }) => outcome.verdict !== 'hidden');
  const honest = shown.filter(isHonest);
  const hard = shown.filter((each) => (lieOf(each) ?? '') in hardLies);
  const lying = shown.filter((each) => (lieOf(each) ?? '') in lies);
  const by = (reputation: Reputation) => (each: Decided) => each.one.reputation === reputation;
  const figures: Record<string, number> = {
    comparator_true_positive: shareRefused(lying.filter(by('newcomer'))),
    comparator_true_positive_record: shareRefused(lying.filter(by('record'))),
    comparator_false_positive: shareRefused(honest),
    cases: honest.length + lying.length,
    cases_newcomer_lying: lying.filter(by('newcomer')).length,
    cases_record_lying: lying.filter(by('record')).length,
    cases_honest: honest.length,
    cases_hidden: all.length - shown.length,
    honest_refuted: honest.filter(({ outcome }) => outcome.verdict === 'refuted').length,
    honest_elements: sum(honest, ({ compared }) => compared),
  };
  for (const name of Object.keys(roundings)) {
    const mine = honest.filter((each) => deviceOf(each) === name);
    const elements = sum(mine, ({ compared }) => compared);
    figures[`false_positive_${name}`] = shareRefused(mine);
    figures[`honest_differing_${name}`] = sum(mine, ({ differing }) => differing) / elements;
    figures[`honest_unexplained_${name}`] = sum(mine, ({ unexplained }) => unexplained) / elements;
  }
  for (const reputation of reputations) {
    const mine = lying.filter(by(reputation));
    for (const lie of Object.keys(lies)) figures[`true_positive_${reputation}_${lie}`] = shareRefused(mine.filter((each) => lieOf(each) === lie));
    for (const size of SIZES) figures[`true_positive_${reputation}_${size}px`] = shareRefused(mine.filter(({ picture }) => picture.size === size));
    for (const lie of Object.keys(hardLies))
      figures[`true_positive_${reputation}_${lie}`] = shareRefused(hard.filter(by(reputation)).filter((each) => lieOf(each) === lie));
  }
  figures.elements_recomputed = sum(all, ({ compared }) => compared);
  figures.explains_calls = sum(all, ({ differing }) => differing);
  figures.casesPerSecond = all.length / seconds;
  return { figures, notes: notesOn(device, honest, lying.filter(by('newcomer')), lying.filter(by('record'))) };
}

/** 95 % interval of a share, for people. Wilson, "Probable Inference", JASA 22(158), 1927. */
export function interval(hits: number, count: number): string {
  const z = 1.96;
  const middle = (hits + (z * z) / 2) / (count + z * z);
  const half = (z / (count + z * z)) * Math.sqrt((hits * (count - hits)) / count + (z * z) / 4);
  const text = (share: number): string => Math.min(1, Math.max(0, share)).toPrecision(3);
  return `${hits} of ${count}, 95 % interval ${text(middle - half)} to ${text(middle + half)}`;
}

const count = (decided: readonly Decided[]): string => interval(decided.filter(isRefused).length, decided.length);

const notesOn = (device: string, honest: readonly Decided[], newcomer: readonly Decided[], record: readonly Decided[]): string[] => [
  'case: one result (a part of a tile by a newcomer, a whole pass of a tile with 20 tiles on record) of one of four gallery scenes at 64^2 to 1024^2, 16, 64 or 256 samples, a seed of its own; refused: refuted or discarded, as core/verdicts.ts decides',
  'equal seeds; a lie counts where at least two of 128 probed elements are wrong; fewerBounces (one less) is reported apart, and so are draws on record: 128 elements or so, meant to bound what a record can be spent on, not to find every patch',
  `comparator_true_positive: ${count(newcomer)}`,
  `comparator_true_positive_record: ${count(record)}`,
  `comparator_false_positive: ${count(honest)}, newcomers and on record together`,
  `honest devices: ${device}; plain: the kernel; near: divisions and roots pushed by up to 1 unit in the last place; far: by 2, and products by 1`,
  'honest_differing, honest_unexplained: shares of elements beyond the tolerance, and beyond what the referee explains',
  'a real GPU instead: CHROMIUM_PATH and CHROMIUM_FLAGS, Vulkan or OpenGL ES (shaders/render/testing/comparator/devices.ts)',
];
