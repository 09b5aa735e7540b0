import { expect, test } from 'vitest';
import { create, globals } from 'webgpu';
import { kernelSource } from './run.ts';

Object.assign(globalThis, globals);
// Dawn aborts at random once this object is garbage-collected.
const gpu = create(['backend=null']);

test('Tint accepts the kernel, and nothing in it is more than a warning', async () => {
  const adapter = await gpu.requestAdapter({});
  const device = await adapter!.requestDevice();
  const { messages } = await device.createShaderModule({ code: kernelSource }).getCompilationInfo();
  expect(messages.map(({ type, message, lineNum }) => `${type} ${lineNum}: ${message}`)).toEqual([]);
  const broken = device.createShaderModule({ code: `${kernelSource}\nfn broken() -> f32 { return 1u; }` });
  device.pushErrorScope('validation');
  expect((await broken.getCompilationInfo()).messages.length).toBeGreaterThan(0);
  await device.popErrorScope();
  device.destroy();
});

test('the kernel calls no function whose result WGSL leaves open', () => {
  const open =
    /\b(sin|cos|tan|asin|acos|atan|atan2|sinh|cosh|tanh|exp|exp2|log|log2|pow|inverseSqrt|normalize|length|distance|dot|cross|reflect|refract|mix|fma|smoothstep|dpdx|quantizeToF16)\s*\(/;
  const code = kernelSource.replaceAll(/\/\/.*$/gm, '');
  expect(code.match(open)).toBeNull();
  expect('let x = pow(2.0, y);'.match(open)?.[1]).toBe('pow');
});
