/**
 * Runs `create` and throws the first error that the GPU reports about what it made: invalid descriptors, or too little memory.
 * Without it WebGPU goes on with invalid objects, whose results are zeros.
 */
export async function checked<T>(device: GPUDevice, create: () => T): Promise<T> {
  device.pushErrorScope('out-of-memory');
  device.pushErrorScope('validation');
  // Popped in the turn in which they were pushed, so that nothing else falls into them.
  const popped = (): Promise<(GPUError | null)[]> => Promise.all([device.popErrorScope(), device.popErrorScope()]);
  let made: T;
  try {
    made = create();
  } catch (error) {
    await popped();
    throw error;
  }
  const error = (await popped()).find((each) => each !== null);
  if (error) throw new Error(`The GPU refused: ${error.message || 'out of memory'}`);
  return made;
}
