import { Type } from 'typebox';
import { sceneLimits, viewLimits } from './limits.ts';

/** What can be ordered, and the controls that say it. */

export { fields } from './fields.ts';
export { sliders } from './sliders.ts';

const optional = Type.Optional;

const coordinate = Type.Number({ minimum: -sceneLimits.coordinateMax, maximum: sceneLimits.coordinateMax });
const point = Type.Tuple([coordinate, coordinate, coordinate]);

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
    /** A camera of one's own in place of the file's, upright, in all frames. Metres; the angle is the picture's vertical one. */
    view: optional(
      Type.Object(
        {
          position: point,
          target: point,
          fieldOfViewDegrees: Type.Number({ minimum: viewLimits.fieldOfViewDegreesMin, maximum: viewLimits.fieldOfViewDegreesMax }),
        },
        { additionalProperties: false },
      ),
    ),
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
