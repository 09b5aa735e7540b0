import type { Field } from '../../shared/workload.ts';
import { productLimits } from './limits.ts';

/** The submit form: every parameter of `form.ts`. */

const arrays = '.npy,.safetensors';
const origin = (name: 'a' | 'b', label: string, help: string): Field => ({
  kind: 'choice',
  name,
  label,
  help,
  options: [
    { value: 'file', label: 'From a file' },
    { value: 'seed', label: 'Random numbers' },
  ],
});

const matrix = (name: string, of: 'a' | 'b', label: string, says: string): Field => ({
  kind: 'file',
  name,
  label,
  help: `${says} A NumPy array of two dimensions, or of three for a batch, in either order: 16, 32 or 64 bits of float, or whole numbers of 8 or 32. Or a .safetensors file.`,
  accept: arrays,
  required: true,
  when: { field: of, is: ['file'] },
});

const side = (name: string, label: string, help: string, of: 'a' | 'b'): Field => ({
  kind: 'integer',
  name,
  label,
  help: `${help} 1 to ${productLimits.sideMax}.`,
  when: { field: of, is: ['seed'] },
});

const seed = (name: string, label: string, of: 'a' | 'b'): Field => ({
  kind: 'integer',
  name,
  label,
  help: '0 to 4294967295. The same seed is the same matrix.',
  advanced: true,
  when: { field: of, is: ['seed'] },
});

const transposed = (name: string, label: string): Field => ({
  kind: 'choice',
  name,
  label,
  help: 'Multiply with its rows as columns.',
  advanced: true,
  options: [
    { value: 'no', label: 'As it is' },
    { value: 'yes', label: 'Transposed' },
  ],
});

const tensor = (name: string, label: string, of: 'a' | 'b'): Field => ({
  kind: 'text',
  name,
  label,
  help: 'Which tensor of a .safetensors file. Left empty: the only matrix in it.',
  charsMax: productLimits.tensorNameCharsMax,
  advanced: true,
  when: { field: of, is: ['file'] },
});

const operands: readonly Field[] = [
  origin('a', 'Matrix A', 'Random numbers need no upload.'),
  matrix('matrixA', 'a', 'A', 'Its columns are multiplied with the rows of B.'),
  side('rows', 'Rows of A', 'Rows of the product.', 'a'),
  side('inner', 'Columns of A', 'They meet the rows of B.', 'a'),
  origin('b', 'Matrix B', 'Random numbers need no upload.'),
  matrix('matrixB', 'b', 'B', 'As many rows as A has columns.'),
  side('columns', 'Columns of B', 'Columns of the product.', 'b'),
  {
    kind: 'choice',
    name: 'numbers',
    label: 'Random numbers',
    help: 'Of matrices that come from no file. Products of whole numbers are exact.',
    advanced: true,
    options: [
      { value: 'f32', label: '32-bit floats, -1 to 1' },
      { value: 'f16', label: '16-bit floats, -1 to 1' },
      { value: 'i8', label: 'Whole, -128 to 127' },
    ],
  },
];

const result: readonly Field[] = [
  {
    kind: 'choice',
    name: 'output',
    label: 'Result',
    help: 'Sums, and products with vectors, are small: they are computed without the whole product.',
    options: [
      { value: 'whole', label: 'The whole product' },
      { value: 'rowSums', label: 'Sums of its rows' },
      { value: 'columnSums', label: 'Sums of its columns' },
      { value: 'vectors', label: 'Its product with vectors' },
    ],
  },
  {
    kind: 'file',
    name: 'vectors',
    label: 'Vectors',
    help: `A NumPy array with a row for every column of the product, and up to ${productLimits.vectorsMax} columns.`,
    accept: '.npy',
    required: true,
    when: { field: 'output', is: ['vectors'] },
  },
  {
    kind: 'choice',
    name: 'activation',
    label: 'Activation',
    help: 'Applied to every entry of the whole product.',
    advanced: true,
    options: [
      { value: 'none', label: 'None' },
      { value: 'relu', label: 'ReLU' },
      { value: 'gelu', label: 'GELU' },
      { value: 'silu', label: 'SiLU' },
      { value: 'sigmoid', label: 'Sigmoid' },
      { value: 'tanh', label: 'Tanh' },
    ],
    when: { field: 'output', is: ['whole'] },
  },
  { kind: 'number', name: 'alpha', label: 'Alpha', help: `Factor on the product, -${productLimits.scaleMax} to ${productLimits.scaleMax}.`, advanced: true },
  {
    kind: 'file',
    name: 'addend',
    label: 'C0',
    help: 'A matrix of the product’s size that is added, times beta. A NumPy array.',
    accept: '.npy',
    required: false,
  },
  { kind: 'number', name: 'beta', label: 'Beta', help: `Factor on C0, -${productLimits.scaleMax} to ${productLimits.scaleMax}.`, advanced: true },
  { kind: 'file', name: 'bias', label: 'Bias', help: 'A NumPy array with a number for every column, added to every row.', accept: '.npy', required: false },
];

export const fields: readonly Field[] = [
  ...operands,
  ...result,
  transposed('transposeA', 'A'),
  transposed('transposeB', 'B'),
  seed('seedA', 'Seed of A', 'a'),
  seed('seedB', 'Seed of B', 'b'),
  tensor('tensorA', 'Tensor of A', 'a'),
  tensor('tensorB', 'Tensor of B', 'b'),
];
