import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { requestDevice } from '../device.ts';
import { type ProductKind, type ProductType, variantName } from './kind.ts';
import { openProduct, Product } from './product.ts';
import { type Case, compute, reference } from './testing/compute.ts';
import { runs, variant } from './variants.ts';

/**
 * One of every way through the template, in sizes that SwiftShader compiles in a tenth of a second: the variants that are tried differ from them in
 * how much they unroll alone, and source.test.ts has them all compiled.
 */
const variants = [
  variant('shared', [4, 4, 4, 4, 4]),
  variant('shared', [2, 4, 4, 8, 8]),
  variant('shared', [4, 2, 8, 4, 8], { doubleBuffer: true }),
  variant('direct', [4, 1, 4, 4, 4]),
  variant('direct', [2, 4, 1, 8, 4]),
  variant('direct', [4, 1, 4, 4, 4], { subgroups: true }),
  variant('direct', [8, 1, 8, 4, 4], { subgroups: true }),
];

let device: GPUDevice;
beforeAll(async () => {
  ({ device } = await requestDevice(navigator.gpu));
});

/** Rounding errors of a sum of k products are like k random steps of half a unit; six times their spread, and the last rounding. */
const BOUND = 6;
const UNIT = 2 ** -24;

const numbers: Readonly<Record<ProductType, fc.Arbitrary<number>>> = {
  f32: fc.integer({ min: -(2 ** 23), max: 2 ** 23 }).map((value) => value * 2 ** -23),
  f16: fc.integer({ min: -1024, max: 1024 }).map((value) => value * 2 ** -10),
  i8: fc.integer({ min: -128, max: 127 }),
  i32: fc.integer({ min: -4000, max: 4000 }),
};

const side = fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 10, max: 70 }));

function caseOf(kind: ProductKind): fc.Arbitrary<Case> {
  const whole = kind.type === 'i8' || kind.type === 'i32';
  const scalar = whole ? fc.constant(1) : fc.constantFrom(1, -0.5, 2);
  return fc.record({ m: side, n: side, k: side }).chain((shape) => {
    const array = (length: number) => fc.array(numbers[kind.type], { minLength: length, maxLength: length });
    return fc.record({
      kind: fc.constant(kind),
      shape: fc.constant(shape),
      a: array(shape.m * shape.k),
      b: array(shape.k * shape.n),
      addend: array(kind.addend ? shape.m * shape.n : 0),
      bias: array(kind.bias ? shape.n : 0),
      scalars: fc.record({ alpha: scalar, beta: scalar, slope: fc.constant(0.25) }),
      padding: fc.integer({ min: 0, max: 4 }),
      offset: fc.constantFrom(0, 0, 4, 3),
    });
  });
}

function expectRight(test: Case, got: readonly number[], name: string): void {
  const { values, spreads } = reference(test);
  const whole = test.kind.type === 'i8' || test.kind.type === 'i32';
  for (const [at, value] of values.entries()) {
    const off = Math.abs(got[at]! - value);
    const allowed = whole ? 0 : BOUND * UNIT * Math.sqrt(test.shape.k + 2) * spreads[at]! + 2 * UNIT * Math.abs(value);
    if (!(off <= allowed)) throw new Error(`${name}: entry ${at} of ${JSON.stringify(test.shape)} is ${got[at]}, not ${value}; allowed ${allowed}`);
  }
}

const kindOf = (type: ProductType, at: number): ProductKind => ({
  type,
  transposeA: type !== 'i8' && (at & 1) === 1,
  transposeB: type === 'i8' || (at & 2) === 2,
  bias: (at & 1) === 0,
  addend: (at & 4) === 4,
  activation: (['none', 'relu', type === 'f32' || type === 'f16' ? 'leaky' : 'none'] as const)[at % 3]!,
});

describe.each(['f32', 'f16', 'i8', 'i32'] as const)('%s', (type) => {
  test('every variant is right, whatever the shape, the layout and what is added', async () => {
    const tried = variants.map((each, index) => (type === 'i8' && index % 2 === 1 ? { ...each, bytes: 'f32' as const } : each));
    for (const [index, variant] of tried.entries()) {
      const kind = kindOf(type, index);
      // Of bytes each multiplication is four times the code, and takes as long to compile.
      if (!runs(variant, kind, device) || (type === 'i8' && variant.perThreadM * variant.perThreadN > 16)) continue;
      const product = new Product(device, kind, variant);
      await fc.assert(
        fc.asyncProperty(caseOf(kind), async (test) => expectRight(test, await compute(device, product, test), variantName(variant))),
        { numRuns: 3 },
      );
      product.dispose();
    }
  });
});

test('what was the fastest is remembered', async () => {
  const store = new Map<string, string>();
  const kind = kindOf('f32', 0);
  const shape = { m: 96, n: 96, k: 96 };
  const product = await openProduct(device, kind, shape, { store });
  expect([...store.values()]).toEqual([variantName(product.variant)]);
  const again = await openProduct(device, kind, { m: 100, n: 95, k: 97 }, { store });
  expect(again.variant).toEqual(product.variant);
  expect(store.size).toBe(1);
});

test('an A that is computed makes a convolution', async () => {
  const [width, height, channels, out] = [7, 5, 4, 6];
  const image = Float32Array.from({ length: width * height * channels }, (_, at) => Math.sin(at));
  const weights = Float32Array.from({ length: 9 * channels * out }, (_, at) => Math.cos(at));
  const layout = device.createBindGroupLayout({ entries: [{ binding: 0, visibility: GPUShaderStage.COMPUTE, buffer: { type: 'read-only-storage' } }] });
  const code = `@group(1) @binding(0) var<storage, read> image: array<vec4f>;
fn loadA(row: u32, k: u32) -> vec4f {
  let tap = k / 4u;
  let at = vec2i(vec2u(row % ${width}u, row / ${width}u)) + vec2i(vec2u(tap % 3u, tap / 3u)) - 1;
  let inside = all(at >= vec2i()) && all(at < vec2i(${width}, ${height}));
  return select(vec4f(), image[at.y * ${width} + at.x], inside);
}`;
  const kind: ProductKind = { ...kindOf('f32', 0), bias: false, activation: 'none', loadA: { code, layout, name: 'test' } };
  const product = await openProduct(device, kind, { m: width * height, n: out, k: 9 * channels });
  const upload = (data: Float32Array<ArrayBuffer>, usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST) => {
    const buffer = device.createBuffer({ size: data.byteLength, usage });
    device.queue.writeBuffer(buffer, 0, data);
    return buffer;
  };
  const c = device.createBuffer({ size: width * height * out * 4, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC });
  const hook = device.createBindGroup({ layout, entries: [{ binding: 0, resource: { buffer: upload(image) } }] });
  const bound = await product.bind(
    { m: width * height, n: out, k: 9 * channels },
    { b: { buffer: upload(weights), offset: 0, lineStride: out }, c: { buffer: c, offset: 0, lineStride: out }, hook },
    { alpha: 1, beta: 0 },
  );
  const staging = device.createBuffer({ size: c.size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  product.encode(pass, bound, { first: 0, end: bound.workgroups });
  pass.end();
  encoder.copyBufferToBuffer(c, 0, staging, 0, c.size);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(GPUMapMode.READ);
  const got = new Float32Array(staging.getMappedRange());
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let o = 0; o < out; o++) {
        let sum = 0;
        for (let tap = 0; tap < 9; tap++) {
          const [sx, sy] = [x + (tap % 3) - 1, y + Math.floor(tap / 3) - 1];
          if (sx < 0 || sy < 0 || sx >= width || sy >= height) continue;
          for (let channel = 0; channel < channels; channel++)
            sum += image[(sy * width + sx) * channels + channel]! * weights[(tap * channels + channel) * out + o]!;
        }
        expect(got[(y * width + x) * out + o]).toBeCloseTo(sum, 4);
      }
});
