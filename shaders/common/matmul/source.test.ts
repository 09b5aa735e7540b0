import { beforeAll, expect, test } from 'vitest';
import { create, globals } from 'webgpu';
import { type ProductKind, type ProductType, variantName } from './kind.ts';
import { productSource } from './source.ts';
import { allVariants } from './variants.ts';

/** Tint, the compiler of Chromium and Dawn, without a GPU. */
let device: GPUDevice;
let gpu: GPU;
beforeAll(async () => {
  Object.assign(globalThis, globals);
  gpu = create(['backend=null']);
  const adapter = (await gpu.requestAdapter())!;
  const wanted: GPUFeatureName[] = ['shader-f16', 'subgroups'];
  device = await adapter.requestDevice({ requiredFeatures: wanted.filter((name) => adapter.features.has(name)) });
});

const types: readonly ProductType[] = ['f32', 'f16', 'i8', 'i32'];

test.each(types)('every variant of %s compiles, however its operands lie', async (type) => {
  const whole = type === 'i8' || type === 'i32';
  for (const each of allVariants)
    for (const vectors of [true, false])
      for (const [transposeA, transposeB] of [
        [false, false],
        [true, true],
        [false, true],
      ] as const) {
        if (type === 'i8' ? transposeA || !transposeB : each.subgroups && transposeA) continue;
        const kind: ProductKind = { type, transposeA, transposeB, bias: true, addend: true, activation: whole ? 'relu' : 'leaky' };
        for (const bytes of type === 'i8' ? (['dot4', 'f32'] as const) : (['dot4'] as const)) {
          const code = productSource({ kind, variant: { ...each, bytes }, vectors, nativeHalf: type === 'f16' && device.features.has('shader-f16') });
          const { messages } = await device.createShaderModule({ code }).getCompilationInfo();
          const errors = messages
            .filter(({ type }) => type === 'error')
            .map(({ message, lineNum }) => `${variantName(each)}: ${message}: ${code.split('\n')[lineNum - 1]}`);
          expect(errors).toEqual([]);
        }
      }
});
