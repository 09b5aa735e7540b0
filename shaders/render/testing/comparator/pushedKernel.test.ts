import { expect, test } from 'vitest';
import { create, globals } from 'webgpu';
import { kernelSource } from '../../run.ts';
import { pushedKernel, roundings } from './pushedKernel.ts';

const calls = (code: string, name: string): number => code.split(`${name}(`).length - 1;
const withoutComments = (code: string): string => code.replaceAll(/\/\/.*$/gm, '');

/** Names of the functions that the expression at `at` is an argument of, innermost first. */
function around(code: string, at: number): string[] {
  const names: string[] = [];
  for (let index = at - 1, closed = 0; index >= 0 && code[index] !== ';' && code[index] !== '{'; index--) {
    if (code[index] === ')') closed++;
    else if (code[index] === '(' && closed-- === 0) {
      names.push(/\w*$/.exec(code.slice(0, index))![0]);
      closed = 0;
    }
  }
  return names;
}

/** Divisions and roots of a kernel that no pushing function takes. */
const unpushed = (code: string): string[] =>
  [...withoutComments(code).matchAll(/ \/ |\bsqrt\(/g)]
    .filter(({ index }) => !around(withoutComments(code), index).some((name) => /^pushed3?$/.test(name)))
    .map(({ index }) =>
      withoutComments(code)
        .slice(Math.max(0, index - 24), index + 24)
        .replaceAll('\n', ' '),
    );

test('the kernel itself is not touched', () => {
  expect(pushedKernel(kernelSource, roundings.plain)).toBe(kernelSource);
});

test('every division and root of the kernel is pushed but those of integers and constants', () => {
  const plain = unpushed(kernelSource);
  const left = unpushed(pushedKernel(kernelSource, roundings.near));
  expect(plain.length).toBeGreaterThan(50);
  // Seven of constants and integers in tile and slot, one of them twice.
  expect(left).toHaveLength(10);
  for (const place of left) expect(place).toMatch(/1\.0 \/ (255|65535|32767|16383)\.0|1\.0 - USUAL_F0|slice\.(pixels|width|partSamples)|slot \/ 2u/);
});

test('a device pushes by as much as it is said to, and products where wanted', () => {
  const near = pushedKernel(kernelSource, roundings.near);
  const far = pushedKernel(kernelSource, roundings.far);
  expect(near).toContain('pushedBy(x, 1u)');
  expect(far).toContain('pushedBy(x, 2u)');
  // In the definition alone.
  expect([calls(near, 'neighbour'), calls(near, 'neighbour3')]).toEqual([1, 1]);
  // Three products of dot3, six of cross3, two coordinates of textures; normals, positions and directions of instances and frames.
  expect([calls(far, 'neighbour'), calls(far, 'neighbour3')]).toEqual([1 + 11, 1 + 3]);
  expect(unpushed(far)).toEqual(unpushed(near));
});

test('Tint accepts what comes out', async () => {
  Object.assign(globalThis, globals);
  const gpu = create(['backend=null']);
  const device = await (await gpu.requestAdapter({}))!.requestDevice();
  for (const rounding of Object.values(roundings)) {
    const { messages } = await device.createShaderModule({ code: pushedKernel(kernelSource, rounding) }).getCompilationInfo();
    expect(messages.map(({ message, lineNum }) => `${lineNum}: ${message}`)).toEqual([]);
  }
  device.destroy();
});

test('a kernel with a division that nothing models is refused, and one that lacks a known one', () => {
  const more = `${kernelSource}\nfn more(a: f32, b: f32) -> f32 { return a / b; }`;
  expect(() => pushedKernel(more, roundings.near)).toThrow(/nothing models it: fn more/);
  const root = `${kernelSource}\nfn more(a: f32) -> f32 { return sqrt(a); }`;
  expect(() => pushedKernel(root, roundings.far)).toThrow(/nothing models it: fn more/);
  expect(() => pushedKernel(kernelSource.replace('let scale = 1.0 / size;', ''), roundings.near)).toThrow(/0 times, not 1: let scale/);
  expect(() => pushedKernel(kernelSource.replace('let distance = sqrt(distance2);', ''), roundings.near)).toThrow(/1 times, not 2: let distance/);
});
