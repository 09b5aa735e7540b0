import type { Page } from 'playwright';
import { fromBase64Url } from '../../../shared/formats.ts';
import { fullMask, type PartMask } from '../../../shared/model.ts';
import { callPage, progress } from '../../common/testing/benchBrowser.ts';
import { samplesOfParts } from '../grid.ts';
import type { RenderJob, RenderParams } from '../params.ts';
import { prepare } from '../prepare.ts';
import { spec } from '../spec.ts';
import type { RoundResult } from './peerContest.ts';
import { glbOf, hdrOf } from './peerGlb.ts';
import { BOUNCES, type PeerSceneName, peerScene } from './peerScenes.ts';

/** One scene, every renderer: rounds of equal camera paths, one renderer after the other. */

export type BackEnd = 'ours' | 'webgl' | 'webgpu';

export interface Load {
  /** Edge of the picture in pixels. */
  readonly size: number;
  /** Paths a pixel in one round. */
  readonly samples: number;
}

export interface Round {
  readonly pathsPerSecond: number;
  /** Paths a pixel that were traced. */
  readonly samples: number;
  readonly image: Float32Array;
}

export interface Lane {
  readonly backEnd: BackEnd;
  /** From scene data to buffers on the GPU: reading, trees, tables, upload. */
  readonly setupMs: number;
  readonly compileMs: number;
  /** One trial where the lane was far behind the faster of the peer's. */
  readonly speed: readonly Round[];
  /** For errors: none where there was a trial only. */
  readonly error: readonly Round[];
}

interface Contender {
  readonly backEnd: BackEnd;
  readonly setupMs: number;
  readonly compileMs: number;
  /** `round`: from 0, the trial. */
  run(load: Load, round: number): Promise<Round>;
  close(): Promise<void>;
}

/** A lane that took more than this many times as long as the faster of the peer's in the trial does not run on: only the faster counts. */
const BEHIND = 4;
/** Of a round's paths in the trial, which is done twice. */
const TRIAL_SHARE = 1 / 32;

export interface Race {
  readonly page: Page;
  readonly blobs: Map<string, Uint8Array>;
  readonly speed: Load;
  /** The same object where the rounds for speed serve for errors too. */
  readonly error: Load;
  readonly rounds: number;
}

export async function race(setting: Race, scene: PeerSceneName): Promise<Lane[]> {
  const contenders = [await openOurs(setting, scene), await openPeer(setting, scene, 'webgl'), await openPeer(setting, scene, 'webgpu')];
  const trials = new Map<Contender, Round>();
  for (const contender of contenders) {
    const trial = { size: setting.speed.size, samples: contender.backEnd === 'ours' ? setting.speed.samples : Math.ceil(setting.speed.samples * TRIAL_SHARE) };
    const [first, second] = [await contender.run(trial, 0), await contender.run(trial, 0)];
    trials.set(contender, second.pathsPerSecond > first.pathsPerSecond ? second : first);
    progress(`${scene}: ${contender.backEnd} compiled in ${contender.compileMs.toFixed(0)} ms, ${trials.get(contender)!.pathsPerSecond.toFixed(0)} paths/s`);
  }
  const fastest = Math.max(...contenders.filter(({ backEnd }) => backEnd !== 'ours').map((peer) => trials.get(peer)!.pathsPerSecond));
  const racing = contenders.filter((contender) => contender.backEnd === 'ours' || trials.get(contender)!.pathsPerSecond * BEHIND >= fastest);
  const speed = await runRounds(racing, setting.speed, setting.rounds);
  const error = setting.error === setting.speed ? speed : await runRounds(racing, setting.error, setting.rounds);
  for (const contender of contenders) await contender.close();
  return contenders.map((contender) => {
    const { backEnd, setupMs, compileMs } = contender;
    return { backEnd, setupMs, compileMs, speed: speed.get(contender) ?? [trials.get(contender)!], error: error.get(contender) ?? [] };
  });
}

/** Each round starts with another one, so that nobody always runs behind the same one. */
async function runRounds(racing: readonly Contender[], load: Load, rounds: number): Promise<Map<Contender, Round[]>> {
  const results = new Map(racing.map((contender): [Contender, Round[]] => [contender, []]));
  for (let round = 1; round <= rounds; round++) {
    for (let turn = 0; turn < racing.length; turn++) {
      const contender = racing[(round + turn) % racing.length]!;
      results.get(contender)!.push(await contender.run(load, round));
    }
  }
  return results;
}

function roundOf({ ms, samples, image }: RoundResult, { size }: Load): Round {
  const bytes = fromBase64Url(image);
  return {
    pathsPerSecond: (samples * size * size * 1000) / ms,
    samples,
    image: new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)),
  };
}

async function openPeer({ page, speed }: Race, scene: PeerSceneName, backEnd: 'webgl' | 'webgpu'): Promise<Contender> {
  const setupMs = await callPage<number>(page, backEnd, 'open', scene);
  const run = async (load: Load): Promise<Round> => roundOf(await callPage<RoundResult>(page, backEnd, 'round', load.size, load.samples), load);
  const started = performance.now();
  const first = await run({ size: speed.size, samples: 1 });
  const firstMs = performance.now() - started;
  // What the first sample took beyond another one.
  const second = await run({ size: speed.size, samples: 1 });
  const compileMs = Math.max(0, firstMs - (first.samples * speed.size ** 2 * 1000) / second.pathsPerSecond);
  return { backEnd, setupMs, compileMs, run, close: () => callPage(page, backEnd, 'close') };
}

/** Parts that come to a round's paths: whole passes, or single parts of one. */
function partsOfRound(job: RenderJob, samples: number, round: number): { pass: number; parts: PartMask } {
  const perPass = spec.parts(job, { pass: 0, tile: 0 });
  const parts = samples / samplesOfParts(job.params, 0);
  if (!Number.isInteger(perPass / parts)) throw new Error(`${samples} samples are no whole share of a pass`);
  const first = round * parts;
  return { pass: Math.floor(first / perPass), parts: (fullMask(parts) << (first % perPass)) as PartMask };
}

async function openOurs({ page, blobs, speed, error, rounds }: Race, scene: PeerSceneName): Promise<Contender> {
  const started = performance.now();
  const described = peerScene(scene);
  const environment = described.environment;
  const files = { model: glbOf(described), ...(environment ? { environment: hdrOf(environment) } : {}) };
  const writingMs = performance.now() - started;
  const jobs = new Map<Load, RenderJob>();
  for (const load of new Set([speed, error])) {
    const common = {
      scene: 'file',
      bounces: BOUNCES,
      layers: 'none',
      roulette: false,
      width: load.size,
      height: load.size,
      samples: load.samples * (rounds + 1),
    } as const;
    // The peer's maps have +x in the middle, ours -z.
    const params: RenderParams = { ...common, ...(environment ? { lighting: 'sky', skyRotation: -90 } : { lighting: 'scene' }) };
    const { prepared, inputs } = await prepare(params, files);
    blobs.set(scene, inputs.scene!);
    jobs.set(load, { id: 'j_bench_bench_benc' as RenderJob['id'], seed: 1, params, prepared });
  }
  const preparedMs = (performance.now() - started - writingMs) / jobs.size;
  let [uploadMs, compileMs] = [0, 0];
  for (const [load, job] of jobs) {
    const opened = await callPage<{ uploadMs: number; compileMs: number }>(page, 'bench', 'openScene', `${scene} ${load.size}`, scene, job);
    if (load === speed) ({ uploadMs, compileMs } = opened);
  }
  return {
    backEnd: 'ours',
    setupMs: preparedMs + uploadMs,
    compileMs,
    async run(load, round) {
      const job = jobs.get(load.size === speed.size ? speed : error)!;
      const { pass, parts } = partsOfRound(job, load.samples, round);
      return roundOf(await callPage<RoundResult>(page, 'bench', 'round', `${scene} ${load.size}`, pass, parts), load);
    },
    async close() {
      for (const load of jobs.keys()) await callPage(page, 'bench', 'closeScene', `${scene} ${load.size}`);
    },
  };
}
