import { type Bundle, callPage, openPage } from '../common/testing/benchBrowser.ts';
import { type Convergence, convergence, meanOf, median, spread } from '../common/testing/benchFigures.ts';
import { type Lane, type Load, type Race, race } from './testing/benchRace.ts';
import { type Filter, references } from './testing/benchReference.ts';
import { sampleFigures } from './testing/benchSamples.ts';
import { type PeerSceneName, peerSceneNames } from './testing/peerScenes.ts';

/**
 * Us against three-gpu-pathtracer 0.0.26, the path tracer that a web page would otherwise use: its WebGL back end on three 0.187.0 and its
 * WebGPU back end on three 0.185.0, the newest that its wavefront works on. All in one headless Chromium, one renderer after the other.
 * `CHROMIUM_PATH` names a browser, `CHROMIUM_FLAGS` replaces the flags that select the software GPU, `BENCH_ROUNDS` the number of rounds.
 *
 * What could favour us, and what is done about it:
 * - Area lights are RectAreaLights to the peer: emissive geometry gets no next-event estimation there. In `emissive` it gets none, as its
 *   own documents say, because there is no such light to give it; that ratio is of two algorithms.
 * - Lambert surfaces have roughness 0.5 because that serves the peer's WebGL best (peerScenes.ts); 1, the default of glTF, makes it a
 *   quarter too dark and noisier.
 * - The peer counts surfaces where we count bounces, and does not trace the last reflected ray: it gets one more (peerThree.ts).
 * - Russian roulette is off for all. WebGL has a define for it; WebGPU has nothing, so one condition of its source is changed while bundling.
 * - Its defaults that blur glossy surfaces and clamp bright paths (WebGPU) are off: they are other pictures. Depth of field, fog and alpha
 *   are not used, so that its shaders leave them out; the background is opaque, so that WebGL blends its sums, its faster way.
 * - It draws whole pictures at once (no tiles), shows nothing on a canvas (WebGL) or one pixel (WebGPU), and gets indexed geometry, and as
 *   many path slots as there are pixels, the most it takes. Our time is that of the product: tile after tile, in slices, with every part
 *   read back.
 * - Its trees are its own (three-mesh-bvh, surface area heuristic, as it builds them); building is not timed with the rounds, nor ours.
 * - WebGL filters pixels with a tent two pixels wide; it is compared with a reference so filtered. That reads smoother pictures in its favour.
 * - Its models differ a little: no compensation for what rough metals lose (WebGL), a shadow ray that starts inside a surface when the
 *   reflected ray goes in (WebGL). That is its bias, which the time to equal error forgives; ours is charged.
 */

const ROUNDS = 5;
const ROUNDS_MIN = 2;

/** Relative RMSE to which times are compared. */
const ERROR = 0.05;

const ON_SOFTWARE: Load = { size: 64, samples: 32 };
const ON_GPU: Load = { size: 512, samples: 256 };

const bundles: readonly Bundle[] = [
  { name: 'bench', entry: new URL('./testing/benchPage.ts', import.meta.url) },
  { name: 'webgl', entry: new URL('./testing/peerWebGl.ts', import.meta.url) },
  {
    name: 'webgpu',
    entry: new URL('./testing/peerWebGpu.ts', import.meta.url),
    alias: { three: 'three-185' },
    changes: [{ path: 'three-gpu-pathtracer/src/webgpu/compute/wavefront/MaterialKernel.js', from: '! isTerminated && newBounce >= 3u', to: 'false' }],
  },
];

const filterOf = (lane: Lane): Filter => (lane.backEnd === 'webgl' ? 'tent' : 'box');

function roundsWanted(): number {
  const given = process.env.BENCH_ROUNDS;
  if (given === undefined) return ROUNDS;
  const rounds = Number(given);
  if (!Number.isInteger(rounds) || rounds < ROUNDS_MIN || rounds > 100)
    throw new Error(`BENCH_ROUNDS is a whole number from ${ROUNDS_MIN} to 100, not ${given}`);
  return rounds;
}

export async function bench(): Promise<{ suite: string; figures: Record<string, number>; notes: string[] }> {
  const rounds = roundsWanted();
  const { browser, page, blobs, close } = await openPage(bundles);
  try {
    const { name, software } = await callPage<{ name: string; software: boolean }>(page, 'bench', 'adapterInfo');
    const speed = software ? ON_SOFTWARE : ON_GPU;
    const setting: Race = { page, blobs, speed, error: ON_SOFTWARE, rounds };
    const figures: Record<string, number> = {};
    const notes: string[] = [];
    for (const scene of peerSceneNames) {
      const truths = await references(scene, ON_SOFTWARE.size);
      const lanes = await race(setting, scene);
      Object.assign(figures, speedFigures(scene, lanes));
      const errors = await errorFigures(scene, lanes, truths);
      Object.assign(figures, errors.figures);
      notes.push(...errors.notes);
    }
    Object.assign(figures, await sampleFigures(page, blobs, software));
    return { suite: 'render', figures, notes: [...about(name, software, browser, setting), ...notes] };
  } finally {
    await close();
  }
}

function speedFigures(scene: PeerSceneName, lanes: readonly Lane[]): Record<string, number> {
  const figures: Record<string, number> = {};
  const speeds = (lane: Lane): number[] => lane.speed.map(({ pathsPerSecond }) => pathsPerSecond);
  for (const lane of lanes) {
    Object.assign(figures, spread(`paths_per_second_${lane.backEnd}_${scene}`, speeds(lane)));
    figures[`setup_ms_${lane.backEnd}_${scene}`] = lane.setupMs;
    figures[`compile_ms_${lane.backEnd}_${scene}`] = lane.compileMs;
  }
  const [ours, ...peers] = lanes as [Lane, ...Lane[]];
  const faster = peers.reduce((best, lane) => (median(speeds(lane)) > median(speeds(best)) ? lane : best));
  return {
    ...figures,
    ...spread(
      `ratio_paths_${scene}`,
      speeds(ours).map((value, round) => value / speeds(faster)[round]!),
    ),
  };
}

type Truths = Awaited<ReturnType<typeof references>>;

interface Judged {
  readonly lane: Lane;
  readonly fit: Convergence;
  /** Mean of the reference as the lane filters it. */
  readonly mean: number;
}

async function errorFigures(scene: PeerSceneName, lanes: readonly Lane[], truths: Truths): Promise<{ figures: Record<string, number>; notes: string[] }> {
  const judged = lanes
    .filter(({ error }) => error.length > 0)
    .map((lane): Judged => {
      const truth = truths[filterOf(lane)];
      const fit = convergence(
        lane.error.map(({ image }) => image),
        lane.error.map(({ samples }) => samples),
        truth,
      );
      return { lane, fit, mean: meanOf(truth.picture) };
    });
  const [ours, ...peers] = judged as [Judged, ...Judged[]];
  const figures: Record<string, number> = {};
  for (const { lane, fit, mean } of judged) {
    figures[`mean_difference_${lane.backEnd}_${scene}`] = fit.mean / mean - 1;
    figures[`bias_percent_${lane.backEnd}_${scene}`] = (100 * Math.sqrt(fit.bias2)) / mean;
  }
  const allowed = (ERROR * ours.mean) ** 2;
  const left = allowed - ours.fit.bias2;
  /** Seconds for each round's share of noise at its speed to come down to `to`, for a picture of the size of the errors'. */
  const seconds = ({ lane, fit }: Judged, to: number): number[] =>
    fit.variances.map((variance, round) => ((variance / to) * ON_SOFTWARE.size ** 2) / lane.speed[round]!.pathsPerSecond);
  for (const each of peers) Object.assign(figures, spread(`seconds_to_error_${each.lane.backEnd}_${scene}`, seconds(each, allowed)));
  const faster = peers.reduce((best, each) => (median(seconds(each, allowed)) < median(seconds(best, allowed)) ? each : best));
  figures[`mean_difference_${scene}`] = ours.fit.mean / ours.mean / (faster.fit.mean / faster.mean) - 1;
  if (left <= 0)
    return {
      figures: { ...figures, [`ratio_time_to_error_${scene}`]: 0 },
      notes: [`${scene}: our bias is above ${ERROR * 100} %, so that we never get there`],
    };
  const own = seconds(ours, left);
  Object.assign(figures, spread(`seconds_to_error_ours_${scene}`, own));
  return {
    figures: {
      ...figures,
      ...spread(
        `ratio_time_to_error_${scene}`,
        seconds(faster, allowed).map((value, round) => value / own[round]!),
      ),
    },
    notes: [],
  };
}

function about(adapter: string, software: boolean, browser: string, { speed, error, rounds }: Race): string[] {
  const size = ({ size: edge, samples }: Load): string => `${edge} x ${edge} pixels, ${samples} paths each`;
  return [
    `${adapter}${software ? ' (software)' : ''} in Chromium ${browser}; three-gpu-pathtracer 0.0.26, webgl: three 0.187.0, webgpu: three 0.185.0`,
    `${rounds} rounds, one renderer after the other in each; medians, _min and _max; ratio_*: ours over the peer's faster back end, round by round; below 1: the peer is ahead`,
    `paths_per_second: camera paths of any length, ${size(speed)} a round; same geometry, camera and bounces, no Russian roulette; trees, uploads and compilers left out (setup_ms, compile_ms). Shorter paths would game it: mean_difference shows light that is left out`,
    'a peer back end at less than a quarter of the other has the better of two trials of a thirty-second of the paths, no _min and _max, and no errors',
    `ratio_time_to_error: time to ${ERROR * 100} % relative RMSE of linear radiance (of the mean), peer over ours, by RMSE^2 = bias^2 + c / paths (${size(error)}) and each round's own speed, against an f64 renderer of the benchmark's own (testing/peerReference.ts). The peer's bias is forgiven, ours is charged. Blurring or clamping would game it: bias_percent shows what they leave`,
    'seconds_to_error: the same for each, for a picture of 64 x 64 pixels. bias_percent: what remains of RMSE after infinitely many paths, of the mean; mean_difference_BACKEND: of mean radiance from the reference’s; mean_difference: ours from the faster peer’s',
    'webgl leaves some light out: its shadow rays start inside a surface when the reflected ray goes in, and rough metals lose what they scatter twice; emissive: the peer finds emitting surfaces by hitting them alone',
    'paths_per_second_SAMPLE: our kernel on the gallery (3 rounds); audit: scattered elements, audit_speed: their work a second over that of a tile; reference: one thread of Node',
  ];
}
