import { Type } from 'typebox';
import type { Slider } from '../../shared/workload.ts';
import { productLimits } from './limits.ts';

/** What can be ordered, and the controls that say it. */

export { fields } from './fields.ts';

export const sliders: readonly Slider[] = [];

const optional = Type.Optional;
const side = Type.Integer({ minimum: 1, maximum: productLimits.sideMax });
const source = Type.Union([Type.Literal('file'), Type.Literal('seed')]);
const seed = Type.Integer({ minimum: 0, maximum: 2 ** 32 - 1 });
const tensor = Type.String({ maxLength: productLimits.tensorNameCharsMax });
const scale = Type.Number({ minimum: -productLimits.scaleMax, maximum: productLimits.scaleMax });
const transpose = Type.Union([Type.Literal('no'), Type.Literal('yes')]);

export const params = Type.Object(
  {
    /** `file`: the uploaded one. `seed`: random numbers, which need no upload. */
    a: source,
    b: source,
    /** Of the product, where a matrix comes from a seed; else the files say it. */
    rows: optional(side),
    inner: optional(side),
    columns: optional(side),
    /** Of matrices from seeds. */
    numbers: optional(Type.Union([Type.Literal('f32'), Type.Literal('f16'), Type.Literal('i8')])),
    seedA: optional(seed),
    seedB: optional(seed),
    /** Name of a tensor in a .safetensors file; empty: the only matrix there. */
    tensorA: optional(tensor),
    tensorB: optional(tensor),
    transposeA: optional(transpose),
    transposeB: optional(transpose),
    /** C = alpha op(A) op(B) + beta C0 + bias */
    alpha: optional(scale),
    beta: optional(scale),
    /** Of every entry of the sum, when the file is put together. */
    activation: optional(
      Type.Union([Type.Literal('none'), Type.Literal('relu'), Type.Literal('gelu'), Type.Literal('silu'), Type.Literal('sigmoid'), Type.Literal('tanh')]),
    ),
    /** `vectors`: C times the columns of the file `vectors`. */
    output: optional(Type.Union([Type.Literal('whole'), Type.Literal('rowSums'), Type.Literal('columnSums'), Type.Literal('vectors')])),
  },
  { additionalProperties: false },
);
