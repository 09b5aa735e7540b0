import { expect } from 'vitest';
import { InputError } from '../../shared/workload.ts';
import { type LooseGltf, type TestModel, triangleModel } from './glb.testing.ts';
import { readGltf } from './gltf.ts';

/** The refusal of these bytes. Fails when they are accepted, or refused by anything but an `InputError` about the model. */
export async function refusal(bytes: Uint8Array, timeline?: Parameters<typeof readGltf>[1]): Promise<string> {
  const error = await readGltf(bytes, timeline).then(
    () => new Error('was accepted'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(InputError);
  const { field, message, limit } = error as InputError;
  expect(field).toBe('model');
  return limit === undefined ? message : `${message} [${limit}]`;
}

/** The refusal of the smallest good file after a change to its JSON. */
export function changed(change: (json: LooseGltf, model: TestModel) => unknown, positions?: Float32Array): Promise<string> {
  const model = triangleModel(positions);
  change(model.json, model);
  return refusal(model.bytes());
}
