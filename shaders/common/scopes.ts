/**
 * Runs `create` and throws the first error that the GPU reports about what it made: invalid descriptors, or too little memory.
 * Without it WebGPU goes on with invalid objects, whose results are zeros.
 */
export async function checked<T>(device: GPUDevice, create: () => T): Promise<T> {
  device.pushErrorScope('out-of-memory');
  device.pushErrorScope('validation');
  // Both scopes are popped in the same turn, so that nothing else falls into them.
  let made: T | undefined;
  let thrown: unknown;
  try {
    made = create();
  } catch (error) {
    thrown = error;
  }
  const [invalid, exhausted] = await Promise.all([device.popErrorScope(), device.popErrorScope()]);
  if (thrown) throw thrown;
  const error = invalid ?? exhausted;
  if (error) throw new Error(`The GPU refused: ${error.message || 'out of memory'}`);
  return made as T;
}
