import type { MatmulSettings } from './params.ts';

/**
 * Activations of a finished entry. They are applied when the file is put together, and not on contributors' devices: what a product
 * was rounded to can be verified, what a ReLU has cut off can not.
 */
export const activations: Readonly<Record<MatmulSettings['activation'], (x: number) => number>> = {
  none: (x) => x,
  relu: (x) => Math.max(0, x),
  /** The tanh form (Hendrycks & Gimpel, arXiv 1606.08415). */
  gelu: (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  silu: (x) => x / (1 + Math.exp(-x)),
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  tanh: Math.tanh,
};
