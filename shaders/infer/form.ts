import { Type } from 'typebox';
import { batchLimits } from './limits.ts';

/** What can be ordered, and the controls that say it. */

export { fields } from './fields.ts';

const optional = Type.Optional;
const oneOf = <const T extends readonly string[]>(...values: T) => Type.Unsafe<T[number]>(Type.Union(values.map((value) => Type.Literal(value))));

const mean = optional(Type.Number({ minimum: -10, maximum: 10 }));
const deviation = optional(Type.Number({ minimum: 1e-4, maximum: 1000 }));
const edge = optional(Type.Integer({ minimum: 0, maximum: batchLimits.imageEdgePixelsMax }));

export const params = Type.Object(
  {
    /** What is made of the output: the best classes, the numbers as they are, or pictures. */
    kind: oneOf('labels', 'arrays', 'images'),
    /** What `inputs` holds: a ZIP of pictures, or an .npy or .npz of numbers. */
    source: oneOf('images', 'arrays'),
    /** Classes that are named for each input. */
    k: optional(Type.Integer({ minimum: 1, maximum: 10 })),
    /** `auto`: a softmax is taken unless the output is one already. */
    scores: optional(oneOf('auto', 'softmax', 'given')),
    /** Which output of the model, from 0. */
    output: optional(Type.Integer({ minimum: 0, maximum: 63 })),
    /** Of pictures that come out, what is black and what white: 0 and 1, 0 and 255, -1 and 1. */
    range: optional(oneOf('unit', 'bytes', 'signed')),
    /** Pixels that pictures are brought to; 0: what the model asks for. */
    width: edge,
    height: edge,
    /** `crop`: the middle is cut out. `bars`: black is added around. `stretch`: proportions change. */
    fit: optional(oneOf('crop', 'bars', 'stretch')),
    /** Order of the channels that the model expects. */
    colors: optional(oneOf('rgb', 'bgr')),
    /** Values of a channel c in 0 to 1: as it is, 2 c - 1, 255 c, by the mean and deviation of ImageNet, or by those below. */
    normalize: optional(oneOf('unit', 'signed', 'bytes', 'imagenet', 'own')),
    meanRed: mean,
    meanGreen: mean,
    meanBlue: mean,
    deviationRed: deviation,
    deviationGreen: deviation,
    deviationBlue: deviation,
  },
  { additionalProperties: false },
);

export const sliders = [];
