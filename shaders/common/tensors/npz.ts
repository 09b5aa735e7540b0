import { InputError } from '../../../shared/workload.ts';
import { readArchive } from './archive.ts';
import { tensorLimits } from './limits.ts';
import { readNpy } from './npy.ts';
import type { Tensor } from './tensor.ts';

/** The arrays of a .npz file by their names, which may have slashes; unpacked one at a time when they are asked for. Throws `InputError` naming the field. */
export function readNpz(field: string, bytes: Uint8Array): ReadonlyMap<string, () => Tensor> {
  const entries = readArchive(field, bytes).filter(({ path }) => path.endsWith('.npy'));
  if (entries.length === 0) throw new InputError(field, 'The archive holds no .npy file.', 'what numpy.savez writes');
  if (entries.length > tensorLimits.tensorsMax)
    throw new InputError(field, `The archive holds ${entries.length} arrays.`, `at most ${tensorLimits.tensorsMax}`);
  return new Map(entries.map(({ path, read }) => [path.slice(0, -'.npy'.length), () => readNpy(field, read())]));
}
