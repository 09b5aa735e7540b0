import type { TSchema } from 'typebox';
import type { ElementRef, JobContext, MicroUnits, PartMask, TileRef } from './model.ts';
import type { WorkloadPreview } from './preview.ts';
import type { Calibration } from './price-schemas.ts';

/**
 * The contract of a workload: one folder under shaders/, one file per place it runs in.
 *
 *   entry.ts     everywhere                 `WorkloadEntry`, the other faces by name
 *   spec.ts      pure, both sides           `WorkloadSpec`
 *   form.ts      submit page, server       `WorkloadForm`
 *   prepare.ts   server thread              `WorkloadPrepare`
 *   run.ts       WebGPU, browser and Node   `WorkloadRun`
 *   check.ts     server threads             `WorkloadCheck`
 *   view.ts      pages                      `WorkloadView`
 *   preview.ts   the submit page, optional  `WorkloadPreview` (preview.ts)
 *   assemble.ts  server thread              `WorkloadAssemble`
 *   samples.ts   server                     `WorkloadSamples`
 *   calibration.json  server                `Calibration` (price-schemas.ts), written by `npm run calibrate`
 */

/** Work is passes of fixed ranges over tiles; no list of tiles exists anywhere. */
export interface TileGrid {
  readonly passes: number;
  readonly tiles: number;
}

/** What every control has. */
interface Control {
  readonly name: string;
  readonly label: string;
  readonly help: string;
  /**
   * Shown only while an earlier choice has one of these values and is shown itself. Of a field that is hidden the default is ordered, and
   * nothing where there is none; a file of it is left out.
   */
  readonly when?: { readonly field: string; readonly is: readonly string[] };
}

/** One control of the submit form. The form is data: one component draws all workloads' forms. */
export type Field =
  /** `required`: nothing can be ordered without the file, while the field is shown. */
  | (Control & { readonly kind: 'file'; readonly accept: string; readonly required: boolean })
  | (Control & { readonly kind: 'text'; readonly charsMax: number; readonly advanced?: boolean })
  | (Control & {
      readonly kind: 'integer' | 'number';
      readonly unit?: string;
      readonly advanced?: boolean;
      readonly step?: number;
    })
  | (Control & {
      readonly kind: 'choice';
      readonly options: readonly { readonly value: string; readonly label: string }[];
      readonly advanced?: boolean;
    })
  /** A value that is chosen in the preview; the form can only take it back. Not there until then. */
  | (Control & { readonly kind: 'picked'; readonly takeBack: string });

/**
 * One of the few questions that most people answer, in ways of which one applies at a time. Whatever it orders has fields of its own too,
 * where every other value can be said.
 */
export interface Slider<Params = unknown> {
  readonly name: string;
  readonly label: string;
  readonly ways: readonly SliderWay<Params>[];
}

export interface SliderWay<Params = unknown> {
  readonly label: string;
  readonly help: string;
  /** Values to slide over, in their order. The value that is shown may lie between them. */
  readonly stops: readonly number[];
  /** Null: another way applies. */
  read(params: Params): number | null;
  /** What a stop orders. */
  write(params: Params, stop: number): Partial<Params>;
  /** What is ordered now, with its unit. */
  say(params: Params): string;
}

/** When an element is wrong: further from the truth than `allowed`, and no near-tie explains it. Rates are measured, see the workload's README. */
export interface Tolerance {
  /** What a distance is measured in, for people. */
  readonly unit: string;
  /** An element is differing when its distance exceeds this. */
  readonly allowed: number;
  /** Share of elements that two honest, different devices produce further apart than `allowed`. An upper bound from measurement: what referees have to do. */
  readonly honestMissRate: number;
  /** Share of honest elements that differ and that the referee cannot explain. An upper bound from measurement: what nobody may be blamed for. */
  readonly unexplainedRate: number;
}

export interface Output {
  readonly id: string;
  readonly title: string;
  readonly mediaType: string;
  readonly extension: string;
  /** May be gigabytes: made when somebody asks for it, never on the way to something else. */
  readonly large?: boolean;
}

export interface WorkloadSpec<Params = unknown, Prepared = unknown> {
  readonly id: string;
  /** Raised whenever equal inputs may give other bytes. Part of every job. */
  readonly version: number;
  readonly title: string;
  /** One sentence for contributors: what will run on their GPU. */
  readonly summary: string;
  readonly defaults: Params;
  /** Files of this job, once it is done. Pages show the first that browsers draw; of frames that is the first frame. */
  outputs(job: JobContext<Params, Prepared>): readonly Output[];
  readonly tolerance: Tolerance;
  split(params: Params, prepared: Prepared): TileGrid;
  /**
   * How results are checked. `audit`: elements are drawn, computed again elsewhere and compared. `verify`: the coordinator looks at the whole
   * result, which costs far less than computing it.
   */
  readonly checking: 'audit' | 'verify';
  /** Number of parts of a tile, 1 to `limits.partsPerTileMax`. Words of tiles of one part need not be sums: nothing is ever added to them. */
  parts(job: JobContext<Params, Prepared>, tile: TileRef): number;
  /** u32 sums of one element: a part is `elements` x `elementWords` of them, a result the total over its parts (`encodeResult`). */
  elementWords(job: JobContext<Params, Prepared>, tile: TileRef): number;
  /** Checkable elements of every part of this tile. In a picture: its pixels, in row order of the tile's region. */
  elements(job: JobContext<Params, Prepared>, tile: TileRef): number;
  /** Micro-units of one part of this tile, at least 1, known before it runs. */
  work(job: JobContext<Params, Prepared>, tile: TileRef): MicroUnits;
  /** Expected CPU milliseconds to recompute, or verify, one element on the coordinator; bounds how many are drawn. */
  auditMs(job: JobContext<Params, Prepared>, tile: TileRef): number;
  /**
   * The region of the picture, and the frame, that a tile covers, for pages that outline tiles. Null when there is no picture. Every frame
   * has equally many tiles, one behind the other.
   */
  region(job: JobContext<Params, Prepared>, tile: TileRef): { x: number; y: number; width: number; height: number; frame: number } | null;
  /** Size of the whole picture in pixels, and how many frames of it there are. Null when there is no picture. */
  picture(job: JobContext<Params, Prepared>): { width: number; height: number; frames: number } | null;
  /**
   * Passes of a tile that may be left out once it is good enough, as `WorkloadCheck.passesWanted` judges it, in the order in which they
   * run. The first of them and all others always run. None: nothing is ever left out.
   */
  adaptivePasses(job: JobContext<Params, Prepared>): readonly number[];
  /** How a finished job is ordered anew with more of it. Left out: it cannot be. */
  readonly extension?: Extension<Params, Prepared>;
}

/** Extending keeps what is there: every pass, part and element that the job had keeps its number, its meaning and its work. New passes come behind them. */
export interface Extension<Params = unknown, Prepared = unknown> {
  /** Parameters that may be raised: names of numeric fields of the form. */
  readonly fields: readonly string[];
  /** What to compute from now on. `wanted` has some of `fields`, each valid for the form. Throws `InputError` where that is not more than there is. */
  params(params: Params, prepared: Prepared, wanted: Readonly<Record<string, unknown>>): Params;
}

/** What can be ordered. Apart from the spec, because a schema brings its library with it: most pages only look. */
export interface WorkloadForm {
  readonly params: TSchema;
  readonly fields: readonly Field[];
  readonly sliders: readonly Slider[];
}

/** A refusal of an input, shown beside the field it names. `limit` says what would have been fine. */
export class InputError extends Error {
  override readonly name = 'InputError';
  readonly field: string;
  readonly limit: string | undefined;

  constructor(field: string, message: string, limit?: string) {
    super(message);
    this.field = field;
    this.limit = limit;
  }
}

export interface Preparation<Prepared> {
  readonly prepared: Prepared;
  /** Named blobs for the other faces; identical bytes are stored and downloaded once. */
  readonly inputs: Readonly<Record<string, Uint8Array>>;
  /** What was ignored or repaired, in plain sentences, shown before paying. */
  readonly report: readonly string[];
  /** Figures for people, such as `{ triangles: 36 }`. */
  readonly facts: Readonly<Record<string, number>>;
}

export interface WorkloadPrepare<Params, Prepared> {
  /** Throws `InputError` for anything wrong with the files. Deterministic: equal arguments give equal bytes. */
  prepare(params: Params, files: Readonly<Record<string, Uint8Array>>): Promise<Preparation<Prepared>>;
}

/** Keeps the GPU's owner comfortable. Work is cut into slices: dispatches that end soon. */
export interface SlicePolicy {
  /** Milliseconds that one slice may take. */
  budgetMs(): number;
  /** Slices that may be on the GPU at once. With two it need not wait for the script that hands in the next. */
  inFlight(): 1 | 2;
  /**
   * Awaited after each slice (power share, pause, stop), before another is handed in. `measuredMs`: what it took of the GPU's time;
   * `underWay`: slices that are on the GPU still.
   */
  between(measuredMs: number, underWay: number): Promise<void>;
}

export interface PartialResult {
  readonly part: number;
  /** `elements` x `elementWords` u32, not shared with later parts. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export interface Runner {
  /** Yields every part of `parts` in ascending order as it finishes. Throws `signal.reason` within one slice of an abort. */
  run(tile: TileRef, parts: PartMask, slice: SlicePolicy, signal: AbortSignal): AsyncIterable<PartialResult>;
  /** Recomputes single elements of any tiles of the job, as `run` would: `elementWords` u32 for each, in order. Throws like `run`. Only for audits. */
  recompute?(elements: readonly ElementRef[], slice: SlicePolicy, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>>;
  /** Frees the GPU memory of this job. */
  dispose(): void;
}

export type AuditedRunner = Runner & Required<Pick<Runner, 'recompute'>>;

export interface WorkloadRun<Params, Prepared, Runs extends Runner = Runner> {
  /** Uploads the inputs and compiles the kernels (asynchronously). Throws when the adapter's limits do not suffice, with the numbers. */
  open(device: GPUDevice, job: JobContext<Params, Prepared>, inputs: Readonly<Record<string, Uint8Array<ArrayBuffer>>>): Promise<Runs>;
}

type Awaitable<T> = T | Promise<T>;

interface CheckOfParts<Params, Prepared, Loaded> {
  /** Parses a job's inputs once; the host caches what comes back. */
  load(job: JobContext<Params, Prepared>, inputs: Readonly<Record<string, Uint8Array>>): Loaded;
  /** Whole parts on the CPU: what an honest contributor computes. Slow; for references and tests. */
  render(loaded: Loaded, job: JobContext<Params, Prepared>, tile: TileRef, parts: PartMask): Awaitable<PartialResult[]>;
}

/** Of a workload whose elements are drawn and computed again (`spec.checking`). */
export interface AuditCheck<Params = unknown, Prepared = unknown, Loaded = unknown> extends CheckOfParts<Params, Prepared, Loaded> {
  /** The truth, on the CPU and independent of the kernel: `elementWords` u32 for each element, in order. */
  recompute(loaded: Loaded, job: JobContext<Params, Prepared>, elements: readonly ElementRef[]): Awaitable<Uint32Array>;
  /** How far apart two values of one element are, in units of `spec.tolerance`. Symmetric, 0 for equal ones. */
  distance(job: JobContext<Params, Prepared>, element: ElementRef, a: Uint32Array, b: Uint32Array): number;
  /**
   * The referee: whether an honest device may have come to this value, because the truth lies so near a decision (an edge
   * hit or missed, one lobe or the other) that the rounding which the device is allowed tips it. Slow; asked only where `distance`
   * exceeds the tolerance.
   */
  explains(loaded: Loaded, job: JobContext<Params, Prepared>, element: ElementRef, claimed: Uint32Array): Awaitable<boolean>;
  /**
   * After how many of its adaptive passes a tile is as good as was ordered, judged by one accepted result of one of them: a fraction,
   * and Infinity where it can only get better. Counted in the order of `spec.adaptivePasses`, and needed only where there are any.
   */
  passesWanted?(job: JobContext<Params, Prepared>, tile: TileRef, parts: PartMask, result: Uint8Array): number;
  /**
   * Micro-units that an element really takes, counted while it is computed: what `spec.work` foretells of a part, divided by its elements. Where
   * the work is known exactly, it is left out.
   */
  cost?(loaded: Loaded, job: JobContext<Params, Prepared>, element: ElementRef): number;
}

/** Secrets that nobody outside the coordinator knows: what is drawn from them cannot be foreseen. 32 bytes each. */
export interface VerifyKeys {
  /** The same for all results of a job. */
  readonly job: Uint8Array;
  /** Of this result alone, fixed by what was committed. */
  readonly result: Uint8Array;
}

/** Of a workload whose results are looked at as a whole (`spec.checking`). */
export interface VerifyCheck<Params = unknown, Prepared = unknown, Loaded = unknown> extends CheckOfParts<Params, Prepared, Loaded> {
  /** What is wrong with a result, as far as `spec.tolerance` can tell. */
  verify(loaded: Loaded, job: JobContext<Params, Prepared>, tile: TileRef, result: Uint8Array, keys: VerifyKeys): Verified;
}

export interface Verified {
  /** Elements that nothing honest explains. */
  readonly wrong: number;
  /** Largest distance from the truth, in the tolerance's unit. */
  readonly worst: number;
  /** Where the wrong ones are, a sentence for the contributor; empty when there are none. */
  readonly where: string;
}

export type WorkloadCheck<Params = unknown, Prepared = unknown, Loaded = unknown> =
  | AuditCheck<Params, Prepared, Loaded>
  | VerifyCheck<Params, Prepared, Loaded>;

/** A face that answers at once where its contract would let it take time. */
export type Sync<Face> = { [K in keyof Face]: Face[K] extends (...args: infer A) => infer R ? (...args: A) => Awaited<R> : Face[K] };

/** A control of how results look on pages. What is downloaded stays as it was ordered. */
export type LookControl =
  | {
      readonly kind: 'choice';
      readonly name: string;
      readonly label: string;
      readonly options: readonly { readonly value: string; readonly label: string }[];
      readonly value: string;
    }
  | {
      readonly kind: 'range';
      readonly name: string;
      readonly label: string;
      readonly unit: string;
      readonly min: number;
      readonly max: number;
      readonly step: number;
      readonly value: number;
    };

/** Values of look controls by name; what is left out is as it was ordered. */
export type Look = Readonly<Record<string, string | number>>;

export interface Painter {
  /** Whether results of this tile change the pixels of the present look: those of other frames do not, nor those of layers that are not shown. */
  shows(tile: TileRef): boolean;
  /** From now on `shows` and `pixels` are about this look; sums that were added stay. */
  setLook(look: Look): void;
  /**
   * Adds a result of its frame, the total of these parts, and returns the region to draw again. Order never matters; the same again
   * changes nothing.
   */
  add(tile: TileRef, parts: PartMask, result: Uint8Array): { x: number; y: number; width: number; height: number };
  /** Straight-alpha sRGB pixels of a region, ready for `putImageData`. Pixels with no samples yet are transparent. */
  pixels(x: number, y: number, width: number, height: number): Uint8ClampedArray<ArrayBuffer>;
}

/** Results that are read rather than looked at, such as a label for every input. */
export interface ResultTable {
  /** Heads of the columns. */
  readonly columns: readonly string[];
  /** Rows there are once the job is done. */
  readonly total: number;
  /** Rows of one accepted result, the total of these parts, by their number from 0 in the whole table; the numbers grow with the tiles. One cell a column. */
  rows(at: TileRef, parts: PartMask, result: Uint8Array): readonly { readonly index: number; readonly cells: readonly string[] }[];
}

export interface WorkloadView<Params, Prepared> {
  /** What can be changed live about how this job looks, with what it looks like as ordered. */
  looks(job: JobContext<Params, Prepared>): readonly LookControl[];
  /** Of one frame, from 0: pages show one at a time. */
  createPainter(job: JobContext<Params, Prepared>, frame: number): Painter;
  /** Null, or left out: nothing of this job is read as text. */
  table?(job: JobContext<Params, Prepared>): ResultTable | null;
}

export interface AcceptedResult {
  readonly tile: TileRef;
  /** The parts that `bytes` are the total of. */
  readonly parts: PartMask;
  readonly bytes: Uint8Array;
}

export interface WorkloadAssemble<Params, Prepared> {
  /**
   * The file of one of `spec.outputs`, in pieces: a file of many frames is larger than memory. Results come in the order of their tiles;
   * those that are not needed are not asked for. Throws `RangeError` for an unknown output or another order.
   */
  assemble(job: JobContext<Params, Prepared>, output: string, results: AsyncIterable<AcceptedResult>): AsyncIterable<Uint8Array>;
}

export interface WorkloadSample<Params = unknown> {
  readonly id: string;
  readonly title: string;
  readonly params: Params;
  readonly files: Readonly<Record<string, Uint8Array>>;
  /** What comes out, small: about 320 pixels wide. */
  readonly picture: { readonly mediaType: string; readonly bytes: Uint8Array };
  /** The same by somebody else, to compare with. */
  readonly reference?: { readonly by: string; readonly mediaType: string; readonly bytes: Uint8Array };
}

export interface WorkloadSamples<Params> {
  /** Public sample jobs: the gallery keeps contributors busy with them, the demo submits the first. */
  samples(): Promise<readonly WorkloadSample<Params>[]>;
}

/** What shaders/registry.ts lists: the spec, and the other faces where they run. */
export interface WorkloadEntry {
  readonly spec: WorkloadSpec;
  readonly form: () => Promise<WorkloadForm>;
  readonly prepare: () => Promise<WorkloadPrepare<unknown, unknown>>;
  readonly run: () => Promise<WorkloadRun<unknown, unknown>>;
  readonly check: () => Promise<WorkloadCheck>;
  readonly view: () => Promise<WorkloadView<unknown, unknown>>;
  readonly preview?: () => Promise<WorkloadPreview>;
  readonly assemble: () => Promise<WorkloadAssemble<unknown, unknown>>;
  readonly samples: () => Promise<WorkloadSamples<unknown>>;
  readonly calibration: () => Promise<{ readonly default: Calibration }>;
}
