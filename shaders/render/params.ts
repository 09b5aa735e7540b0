import type { Static } from 'typebox';
import type { JobContext } from '../../shared/model.ts';
import type { params } from './form.ts';

/** What was ordered, with all that was left out, and the facts that `prepare.ts` finds out about it. */

export type RenderParams = Static<typeof params> & {
  /** What was ordered as `samples` before a finished job was extended, ascending: it keeps the layout of its passes. Cannot be ordered itself. */
  readonly stages?: readonly number[];
};

/** Parameters with all that was left out filled in, but for a view: without one the file's camera is used. */
export type RenderSettings = Required<Omit<Static<typeof params>, 'view'>> & Pick<Static<typeof params>, 'view'>;

export type View = NonNullable<RenderParams['view']>;

export const defaults: RenderSettings = {
  scene: 'file',
  width: 960,
  height: 540,
  samples: 128,
  bounces: 5,
  lighting: 'auto',
  noise: 0,
  skyStrength: 1,
  skyRotation: 0,
  sunElevation: 45,
  sunAzimuth: 135,
  sunStrength: 3,
  camera: 0,
  aperture: 0,
  focusDistance: 0,
  frames: 1,
  firstFrame: 0,
  framesPerSecond: 24,
  layers: 'all',
  toneMap: 'none',
  exposure: 0,
  roulette: true,
};

export const settingsOf = (given: RenderParams): RenderSettings => ({ ...defaults, ...given });

type Triple = readonly [number, number, number];

/**
 * A camera in f32 values. The ray through the image point (x, y), both in [0, 1) from the top left, and the point (a, b) of the unit
 * disc starts at origin + x * originRight + y * originDown + lens, lens = a * lensRight + b * lensDown, and has the direction
 * normalize(corner + x * right + y * down - lens * inverseFocus).
 */
export interface CameraRays {
  readonly origin: Triple;
  readonly originRight: Triple;
  readonly originDown: Triple;
  readonly corner: Triple;
  readonly right: Triple;
  readonly down: Triple;
  readonly lensRight: Triple;
  readonly lensDown: Triple;
  /** 1 / distance of what is sharp, along the camera's axis. */
  readonly inverseFocus: number;
}

/** Small facts about a prepared scene that every face needs; the packed scene itself is the input blob `scene`. */
export interface RenderPrepared {
  readonly triangles: number;
  /** Linear radiance of rays that leave the scene where it has no environment map. */
  readonly sky: Triple;
  /** One for every frame, or one for all. */
  readonly cameras: readonly CameraRays[];
  /** Radiance sums are kept in steps of 2^(quantumLog2 - 12): the scene's exposure as a power of two. */
  readonly quantumLog2: number;
  /** Depths are kept in steps of 2^(depthLog2 - 12) metres. */
  readonly depthLog2: number;
  /**
   * Mean traversal steps (node visits + triangle tests + 8 per surface hit) of one path, per cell, rows from the top: `steps` has one map, or
   * one for each of that many frames spread evenly over the job.
   */
  readonly cost: {
    readonly columns: number;
    readonly rows: number;
    readonly steps: readonly (readonly number[])[];
    /** Of these steps, the share of camera rays and what they hit: all that features trace. */
    readonly featureShare?: number;
  };
  /** Traversal steps per millisecond of the CPU reference on the coordinator that prepared this, for the audit budget. */
  readonly cpuStepsPerMs: number;
}

export type RenderJob = JobContext<RenderParams, RenderPrepared>;
