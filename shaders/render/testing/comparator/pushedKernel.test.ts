import { expect, test } from 'vitest';
import { kernelSource } from '../../run.ts';
import { pushedKernel, roundings } from './pushedKernel.ts';

const calls = (code: string, name: string): number => code.split(`${name}(`).length - 1;

test('the kernel itself is not touched', () => {
  expect(pushedKernel(kernelSource, roundings.plain)).toBe(kernelSource);
});

test('every division and root of the kernel is pushed, and products where wanted', () => {
  const near = pushedKernel(kernelSource, roundings.near);
  const far = pushedKernel(kernelSource, roundings.far);
  // 17 places, some of which push twice or vectors, and the definitions.
  expect(calls(near, 'pushed')).toBe(20);
  expect(calls(near, 'pushed3')).toBe(3);
  expect(calls(near, 'neighbour')).toBe(1);
  expect(calls(far, 'neighbour')).toBe(10);
  expect(far).toContain('pushedBy(x, 2u)');
  expect(near).toContain('pushedBy(x, 1u)');
});

test('a kernel with a division that nothing models is refused, and one that lacks a known one', () => {
  const more = `${kernelSource}\nfn more(a: f32, b: f32) -> f32 { return a / b; }`;
  expect(() => pushedKernel(more, roundings.near)).toThrow(/nothing models it: fn more/);
  expect(() => pushedKernel(kernelSource.replace('let scale = 1.0 / size;', ''), roundings.near)).toThrow(/let scale/);
});
