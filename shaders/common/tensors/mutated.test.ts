import fc from 'fast-check';
import { expect, it } from 'vitest';
import { concatBytes } from '../../../shared/formats.ts';
import { InputError } from '../../../shared/workload.ts';
import { npyHeader, readNpy } from './npy.ts';
import { readNpz } from './npz.ts';
import { readSafetensor } from './safetensors.ts';
import { safetensorsOf, zipOf } from './tensors.testing.ts';

const numbers = new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, 6).buffer);
const npy = concatBytes(npyHeader('f32', [2, 3]), numbers);
const files: Readonly<Record<string, readonly [file: Uint8Array, read: (bytes: Uint8Array) => unknown]>> = {
  '.npy': [npy, (bytes) => readNpy('a', bytes)],
  '.npz': [
    zipOf([
      { path: 'x.npy', bytes: npy },
      { path: 'y.npy', bytes: npy, stored: true },
    ]),
    (bytes) => [...readNpz('a', bytes).values()].map((read) => read()),
  ],
  '.safetensors': [safetensorsOf({ x: { dtype: 'F32', shape: [2, 3], data_offsets: [0, 24] } }, numbers), (bytes) => readSafetensor('a', bytes, 'x', 2)],
};

it.each(Object.entries(files))('a %s file with any bytes changed or cut off is read, or refused in words', (_, [file, read]) => {
  let refused = 0;
  const changes = fc.array(fc.tuple(fc.nat(file.length - 1), fc.constantFrom(0, 1, 0x20, 0x30, 0x7f, 0xff)), { maxLength: 3 });
  fc.assert(
    fc.property(changes, fc.oneof({ weight: 4, arbitrary: fc.constant(file.length) }, fc.nat(file.length)), (bytes, end) => {
      const changed = new Uint8Array(file);
      for (const [at, byte] of bytes) changed[at] = byte;
      try {
        read(changed.subarray(0, end));
      } catch (error) {
        expect(error).toBeInstanceOf(InputError);
        refused++;
      }
    }),
    { numRuns: 500 },
  );
  expect(refused).toBeGreaterThan(100);
});
