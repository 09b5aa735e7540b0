import { FloatChecker } from './floats.ts';
import type { Kernels } from './kernels.ts';
import { assertProduct, type Checker, type Product } from './product.ts';
import { WholeChecker } from './wholes.ts';

/**
 * Checks products of matrices without computing them again, by Freivalds' method: README.md has the method and its bounds.
 * `jobKey`: 32 secret bytes, never told to anybody. Throws `RangeError` where dimensions or types do not fit.
 */
export function createChecker(product: Product, jobKey: Uint8Array, kernels?: Kernels): Checker {
  assertProduct(product);
  return product.output === 'i32' ? new WholeChecker(product, jobKey, kernels) : new FloatChecker(product, jobKey, kernels);
}
