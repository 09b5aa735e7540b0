import { fromBase64Url, wordsOf } from '../../shared/formats.ts';
import { fullMask } from '../../shared/model.ts';
import { type BenchPage, type Bundle, callPage, openPage, progress, SOFTWARE_FLAGS } from '../common/testing/benchBrowser.ts';
import { median, spread } from '../common/testing/benchFigures.ts';
import { load, render } from './check.ts';
import { ELEMENT_WORDS, spec } from './spec.ts';
import { type Agreement, agreement, agreementFigures, type Compared, comparedScenes, lightOf, SAMPLES, worse } from './testing/benchAgreement.ts';
import type { Variant } from './testing/benchAgreementPage.ts';

/**
 * Whether honest devices agree: every test scene on every back end that can be had, in parts of 16 samples. These are the kernel in
 * headless Chromium on its software GPU and the CPU reference; where `CHROMIUM_FLAGS` selects a GPU, that GPU, and the same through OpenGL
 * ES in compatibility mode. SwiftShader computes + - * / and roots as JavaScript does, so a second device is modelled besides: the kernel
 * with every division and root pushed by a unit in the last place (comparator/pushedKernel.ts), in figures of its own.
 *
 * And what rounding to integers does, against the kernel with floats in their place (testing/benchFloatKernel.ts): bias and cost.
 */

const COST_ROUNDS = 9;
/** Runs of each kernel in a round, in turn; the fastest counts, because other work can only slow one down. */
const COST_RUNS = 3;
/** Tiles of a run. */
const COST_TILES = 4;
/** Where paths are short and cheap, so that what is done once a path weighs most, and where they are not. */
const COST_SCENES = ['cornell', 'cabinet'];

const bundles: readonly Bundle[] = [{ name: 'agreement', entry: new URL('./testing/benchAgreementPage.ts', import.meta.url) }];
const ONE_PART = fullMask(1);

interface BackEnd extends BenchPage {
  readonly name: string;
}

/** The first decides about speed and bias: the GPU that was selected, else the software one. */
async function openBackEnds(): Promise<{ backEnds: BackEnd[]; notes: string[] }> {
  const selected = process.env.CHROMIUM_FLAGS;
  const ways: { label: string; flags: string }[] = selected
    ? [
        { label: 'selected GPU', flags: selected },
        { label: 'OpenGL ES', flags: `${selected.replace(/--use-webgpu-adapter=\S+/, '')} --use-webgpu-adapter=opengles` },
        { label: 'software', flags: SOFTWARE_FLAGS },
      ]
    : [{ label: 'software', flags: SOFTWARE_FLAGS }];
  const [backEnds, notes]: [BackEnd[], string[]] = [[], []];
  for (const [index, { label, flags }] of ways.entries()) {
    let opened: BenchPage | undefined;
    try {
      opened = await openPage(bundles, flags);
      const { name, software } = await callPage<{ name: string; software: boolean }>(opened.page, 'agreement', 'adapterInfo');
      backEnds.push({ ...opened, name: `${name}${software ? ' (software)' : ''}` });
      notes.push(`${label}: ${name} in Chromium ${opened.browser}`);
    } catch (error) {
      await opened?.close();
      // What was asked for must work; the others are had where they can be.
      if (index === 0) throw error;
      notes.push(`${label}: not to be had here, ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`);
    }
  }
  return { backEnds, notes };
}

export async function bench(): Promise<{ suite: string; figures: Record<string, number>; notes: string[] }> {
  const { backEnds, notes } = await openBackEnds();
  const figures: Record<string, number> = {};
  const biases: number[] = [];
  const costs: number[] = [];
  let elements = 0;
  try {
    for await (const scene of comparedScenes()) {
      const { pairs, modelled, bias, count } = await compareScene(backEnds, scene);
      Object.assign(figures, agreementFigures(scene.name, pairs), agreementFigures(`modelled_${scene.name}`, modelled));
      figures[`bias_percent_${scene.name}`] = bias;
      biases.push(bias);
      progress(`${scene.name}: within step ${pairs.withinStep}, modelled ${modelled.withinStep}, bias ${bias} %`);
      elements += count;
      if (COST_SCENES.includes(scene.name)) {
        const rounds = await timeCost(backEnds[0]!, scene);
        Object.assign(figures, spread(`cost_percent_${scene.name}`, rounds));
        costs.push(median(rounds));
      }
    }
  } finally {
    for (const { close } of backEnds) await close();
  }
  figures.bias_percent = Math.max(...biases);
  figures.cost_percent = Math.max(...costs);
  figures.elements_compared = elements;
  return { suite: 'agreement', figures, notes: [...notes, ...about()] };
}

const wordsFrom = (base64: string): Uint32Array => {
  const bytes = fromBase64Url(base64);
  return wordsOf(bytes, bytes.byteLength / 4);
};

interface SceneFindings {
  /** The worst of all pairs of back ends. */
  readonly pairs: Agreement;
  /** The modelled device against the CPU reference. */
  readonly modelled: Agreement;
  /** Share by which the integers' sum is off the floats', in per cent. */
  readonly bias: number;
  readonly count: number;
}

async function compareScene(backEnds: readonly BackEnd[], scene: Compared): Promise<SceneFindings> {
  const { job, packed, tiles } = scene;
  const loaded = load(job, { scene: packed });
  const truth = wordsFromParts(tiles.map((tile) => render(loaded, job, tile, ONE_PART)[0]!.bytes));
  const claims = [truth];
  for (const [index, { page, blobs }] of backEnds.entries()) {
    blobs.set(scene.name, packed);
    const variants: Variant[] = index === 0 ? ['plain', 'modelled', 'floats'] : ['plain'];
    await callPage(page, 'agreement', 'openScene', scene.name, job, variants);
    claims.push(wordsFrom((await run(backEnds[index]!, 'plain', scene)).words));
  }
  let pairs: Agreement = { bitEqual: 1, withinStep: 1, oneStep: 1, apart: 0 };
  for (const [index, a] of claims.entries()) for (const b of claims.slice(index + 1)) pairs = worse(pairs, agreement(scene, a, b));
  const modelled = agreement(scene, truth, wordsFrom((await run(backEnds[0]!, 'modelled', scene)).words));
  const floats = wordsFrom((await run(backEnds[0]!, 'floats', scene)).words);
  const float = lightOf(new Float32Array(floats.buffer, floats.byteOffset, floats.length));
  const bias = float > 0 ? Math.abs((100 * lightOf(claims[1]!)) / float - 100) : 0;
  return { pairs, modelled, bias, count: truth.length / ELEMENT_WORDS };
}

const run = ({ page }: BackEnd, variant: Variant, { tiles }: Compared): Promise<{ ms: number; words: string }> =>
  callPage(page, 'agreement', 'run', variant, tiles, ONE_PART);

function wordsFromParts(parts: readonly Uint8Array<ArrayBuffer>[]): Uint32Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return wordsOf(all, all.length / 4);
}

/** Per cent that the kernel takes longer than one that writes floats and sums nothing, round by round, the order changing. */
async function timeCost(backEnd: BackEnd, scene: Compared): Promise<number[]> {
  await callPage(backEnd.page, 'agreement', 'openScene', scene.name, scene.job, ['plain', 'storing']);
  const some = { ...scene, tiles: scene.tiles.filter((_, index) => index % Math.ceil(scene.tiles.length / COST_TILES) === 0) };
  const rounds: number[] = [];
  // The first round lets slices grow and clocks rise; it does not count.
  for (let round = 0; round <= COST_ROUNDS; round++) {
    const fastest = { plain: Infinity, storing: Infinity };
    for (let turn = 0; turn < 2 * COST_RUNS; turn++) {
      const variant = (round + turn) % 2 ? 'plain' : 'storing';
      fastest[variant] = Math.min(fastest[variant], (await run(backEnd, variant, some)).ms);
    }
    if (round > 0) rounds.push((100 * fastest.plain) / fastest.storing - 100);
  }
  return rounds;
}

const about = (): string[] => [
  `shares of elements, each a pixel of one part of ${SAMPLES} samples: the worst pair of the back ends above and the CPU reference; modelled: the kernel with divisions and roots pushed by a unit in the last place, against the reference`,
  `within_step: within the tolerance of audits, ${spec.tolerance.unit}; one_step: no channel further than a step of 2^-12 of the exposure, however bright; apart_1e3: mean radiance of a channel more than 1e-3 of the exposure away. Near-ties are not excused`,
  'bias_percent: sum of the integers against a sum of floats over the same paths; the worst scene, and each. It counts what stochastic rounding draws by chance',
  `cost_percent: time beyond that of the same kernel writing unrounded floats over each other, without summing them: an upper bound of what rounding and integer sums cost; ${COST_ROUNDS} rounds of ${COST_RUNS} runs each, of which the fastest counts, median, the worse of two scenes. Where other work runs on the machine its spread is wider than the cost`,
];
