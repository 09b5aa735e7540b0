import { type Static, Type } from 'typebox';
import type { JobContext } from '../../shared/model.ts';

/** What can be ordered, and the facts that `prepare.ts` finds out about it. */

const optional = Type.Optional;

export const params = Type.Object(
  {
    /** `file`: the uploaded .glb. Anything else is built in. */
    scene: Type.Union([Type.Literal('file'), Type.Literal('cornell')]),
    width: Type.Integer({ minimum: 16, maximum: 8192 }),
    height: Type.Integer({ minimum: 16, maximum: 8192 }),
    /** Paths per pixel; with `noise` the most of them. */
    samples: Type.Integer({ minimum: 1, maximum: 65536 }),
    /** Most surfaces a path may hit after the camera's first; 0 shows emission and direct light only. */
    bounces: Type.Integer({ minimum: 0, maximum: 32 }),
    /**
     * `auto`: the environment map where there is one, else the file's own lights, else a white sky. `scene`: the file's own alone.
     * `sky`: them and the environment map or a white sky. `sun`: them, a white sky and a sun.
     */
    lighting: Type.Union([Type.Literal('auto'), Type.Literal('scene'), Type.Literal('sky'), Type.Literal('sun')]),
    /** Ordered noise: the standard error of a pixel, relative to its light (`noise.ts`). 0: all samples everywhere. */
    noise: optional(Type.Number({ minimum: 0, maximum: 1 })),
    /** Factor on the environment map or the sky. */
    skyStrength: optional(Type.Number({ minimum: 0, maximum: 1000 })),
    /** Degrees by which the environment map is turned about the vertical. */
    skyRotation: optional(Type.Number({ minimum: -360, maximum: 360 })),
    /** Degrees above the horizon; degrees from north (-z) over east (+x). */
    sunElevation: optional(Type.Number({ minimum: -90, maximum: 90 })),
    sunAzimuth: optional(Type.Number({ minimum: -360, maximum: 360 })),
    /** Irradiance of a surface that faces the sun. */
    sunStrength: optional(Type.Number({ minimum: 0, maximum: 100000 })),
    /** Which camera of the file, from 0. */
    camera: optional(Type.Integer({ minimum: 0, maximum: 9999 })),
    /** Diameter of the lens in millimetres; 0: a pinhole. */
    aperture: optional(Type.Number({ minimum: 0, maximum: 1000 })),
    /** Metres; 0: what is in the middle of the picture. */
    focusDistance: optional(Type.Number({ minimum: 0, maximum: 1e6 })),
    /** Frames of the file's animation, from `firstFrame` on, at `framesPerSecond`. */
    frames: optional(Type.Integer({ minimum: 1, maximum: 1000 })),
    firstFrame: optional(Type.Integer({ minimum: 0, maximum: 1000000 })),
    framesPerSecond: optional(Type.Number({ minimum: 0.1, maximum: 240 })),
    /** `all`: albedo, normal and depth are traced too, for the EXR. */
    layers: optional(Type.Union([Type.Literal('all'), Type.Literal('none')])),
    /** Picture files and pages: sRGB as it is, or through AgX. The EXR is linear whatever stands here. */
    toneMap: optional(Type.Union([Type.Literal('none'), Type.Literal('agx')])),
    /** Stops of exposure of picture files and pages. */
    exposure: optional(Type.Number({ minimum: -20, maximum: 20 })),
    /** Paths that carry little light may end before the bounce limit, which changes noise and cost but no mean. */
    roulette: optional(Type.Boolean()),
  },
  { additionalProperties: false },
);
export type RenderParams = Static<typeof params>;

/** Parameters with all that was left out filled in. */
export type RenderSettings = Required<RenderParams>;

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
  readonly cost: { readonly columns: number; readonly rows: number; readonly steps: readonly (readonly number[])[] };
  /** Traversal steps per millisecond of the CPU reference on the coordinator that prepared this, for the audit budget. */
  readonly cpuStepsPerMs: number;
}

export type RenderJob = JobContext<RenderParams, RenderPrepared>;
