import { crc32, deflateSync } from 'node:zlib';
import { MeshoptEncoder } from 'meshoptimizer/encoder';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { type LooseGltf, triangleModel, trianglePositions } from './glb.testing.ts';
import { changed, refusal } from './gltfRefusal.testing.ts';
import type { GltfCompressedView } from './gltfSchema.ts';
import { sceneLimits } from './limits.ts';

describe('instances, motion and lights', () => {
  const places = (json: LooseGltf, attributes: Record<string, number>) => {
    json.nodes![0]!.extensions = { EXT_mesh_gpu_instancing: { attributes } };
  };
  test('instance attributes of different counts or kinds', async () => {
    const path = 'nodes[0].extensions.EXT_mesh_gpu_instancing.attributes';
    const counts = await changed((json, model) =>
      places(json, { TRANSLATION: model.accessor(new Float32Array(6), 'VEC3'), SCALE: model.accessor(new Float32Array(9), 'VEC3') }),
    );
    expect(counts).toBe(`${path} has 2 of TRANSLATION, but 3 of SCALE. [one entry for every instance]`);
    expect(await changed((json) => places(json, { ROTATION: 0 }))).toBe(`${path}.ROTATION is of type VEC3. [VEC4]`);
    expect(await changed((json) => places(json, { TRANSLATION: 9 }))).toContain(`${path}.TRANSLATION is 9, but there are only 1`);
    expect(await changed((json, model) => places(json, { TRANSLATION: model.accessor(Float32Array.of(Number.NaN, 0, 0), 'VEC3') }))).toContain(
      'not a number or too far out',
    );
  });

  const animated = (times: Float32Array, values: Float32Array, interpolation: 'LINEAR' | 'CUBICSPLINE' = 'LINEAR') => {
    const model = triangleModel();
    const samplers = [{ input: model.accessor(times, 'SCALAR'), output: model.accessor(values, 'VEC3'), interpolation }];
    model.json.animations = [{ samplers, channels: [{ sampler: 0, target: { node: 0, path: 'translation' } }] }];
    return refusal(model.bytes(), { frames: 2, firstFrame: 0, framesPerSecond: 1 });
  };
  test('animation samplers that are none', async () => {
    const sampler = 'animations[0].samplers[0]';
    expect(await animated(Float32Array.of(0, 1), new Float32Array(9))).toBe(`${sampler} has 2 times, but 3 values. [1 for every time]`);
    expect(await animated(Float32Array.of(0, 1), new Float32Array(6), 'CUBICSPLINE')).toBe(`${sampler} has 2 times, but 2 values. [3 for every time]`);
    expect(await animated(Float32Array.of(0, 2, 1), new Float32Array(9))).toBe(`${sampler}.input goes back in time, from 2 to 1. [ascending times]`);
    expect(await animated(Float32Array.of(0, Number.NaN), new Float32Array(6))).toBe(`${sampler}.input has a time that is not a number.`);
    expect(await animated(Float32Array.of(0, 1), new Float32Array(6).fill(Infinity))).toBe(`${sampler}.output has a value that is not a number.`);
    expect(await animated(Float32Array.of(0, 1), new Float32Array(6).fill(3e38))).toContain('not a number or too far out');
  });

  test.each<[string, object]>([
    ['lights[0].intensity', { type: 'point', intensity: -1 }],
    ['lights[0].color[1]', { type: 'point', color: [1, -1, 1] }],
    ['lights[0].type', { type: 'area' }],
    ['lights[0] has an intensity of 1e+30', { type: 'point', intensity: 1e30 }],
    ['lights[0].spot.outerConeAngle is 2', { type: 'spot', spot: { outerConeAngle: 2 } }],
    ['lights[0].spot.outerConeAngle is 0', { type: 'spot', spot: { outerConeAngle: 0 } }],
    ['lights[0].spot.innerConeAngle is 1', { type: 'spot', spot: { innerConeAngle: 1, outerConeAngle: 0.5 } }],
    ['lights[0].spot.innerConeAngle is -1', { type: 'spot', spot: { innerConeAngle: -1 } }],
  ])('%s', async (expected, light) => {
    const message = await changed((json) => {
      json.extensions = { KHR_lights_punctual: { lights: [light] } } as never;
      json.nodes![0]!.extensions = { KHR_lights_punctual: { light: 0 } };
    });
    expect(message).toContain(`extensions.KHR_lights_punctual.${expected}`);
  });
});

describe('meshopt streams', () => {
  /** The positions of the triangle as a stream in a view of its own, with a change to what is said about it. */
  async function compressed(change: (view: GltfCompressedView, json: LooseGltf, stream: Uint8Array) => unknown): Promise<string> {
    await MeshoptEncoder.ready;
    const stream = MeshoptEncoder.encodeVertexBuffer(new Uint8Array(trianglePositions.slice().buffer), 3, 12);
    return changed((json, model) => {
      const view: GltfCompressedView = { buffer: 0, byteOffset: 36, byteLength: stream.byteLength, byteStride: 12, count: 3, mode: 'ATTRIBUTES' };
      const parent = { buffer: 1, byteLength: 36, extensions: { EXT_meshopt_compression: view } };
      json.bufferViews!.push(parent);
      json.accessors![0]!.bufferView = json.bufferViews!.length - 1;
      change(view, json, stream);
      model.view(stream);
      json.buffers = [{ byteLength: 36 + Math.ceil(stream.byteLength / 4) * 4 }, { byteLength: 36 }];
    });
  }

  test.each<[string, (view: GltfCompressedView, json: LooseGltf) => unknown]>([
    ['bufferViews[1] has 36 bytes, but its compressed stream 4 times 12', (view) => Object.assign(view, { count: 4 })],
    ['bufferViews[1].byteStride is 16, but 12', (_, json) => (json.bufferViews![1]!.byteStride = 16)],
    ['bufferViews[1].extensions.EXT_meshopt_compression ends at byte 5036 of a buffer', (view) => Object.assign(view, { byteLength: 5000 })],
    ['buffers[1] has no data', (view) => Object.assign(view, { buffer: 1, byteOffset: 0 })],
    ['EXT_meshopt_compression.buffer is 7', (view) => Object.assign(view, { buffer: 7 })],
    ['mode TRIANGLES with a stride of 12 bytes', (view) => Object.assign(view, { mode: 'TRIANGLES' })],
    ['stride 12 with the filter QUATERNION', (view) => Object.assign(view, { filter: 'QUATERNION' })],
    ['The compressed stream of bufferViews[1] is malformed', (view) => Object.assign(view, { byteOffset: 40, byteLength: 30 })],
    ['The compressed stream of bufferViews[1] is malformed', (view) => Object.assign(view, { byteLength: 20 })],
    ['The compressed stream of bufferViews[1] is malformed', (view) => Object.assign(view, { mode: 'TRIANGLES', byteStride: 4, count: 9 })],
    ['bufferViews[0] is malformed', (view, json) => (json.bufferViews![0]!.extensions = { KHR_meshopt_compression: { ...view, byteOffset: 0 } })],
    [
      'bufferViews[1] announces 2400000000 bytes in a compressed stream',
      (view, json) => {
        Object.assign(view, { count: 200_000_000 });
        json.bufferViews![1]!.byteLength = 2_400_000_000;
      },
    ],
  ])('%s', async (expected, change) => expect(await compressed(change)).toContain(expected));

  test('what is filled with noise is refused or read, but never hangs', async () => {
    for (let seed = 1; seed < 30; seed++) {
      const message = await compressed((_, json, stream) => {
        // Byte by byte something else; the header that names the codec stays.
        for (let i = 1; i < stream.length; i++) stream[i] = (i * seed * 37 + seed) % 256;
        // Nothing to see in any case, so that what can be decoded is refused too.
        json.scenes![0]!.nodes = [];
      });
      expect(message).toMatch(/malformed|no triangles/);
    }
  });

  test('many views that are small together and large once decoded', async () => {
    const message = await compressed((view, json) => {
      const bytes = 36_864;
      const large = { buffer: 1, byteLength: bytes, extensions: { EXT_meshopt_compression: { ...view, byteStride: 256, count: bytes / 256 } } };
      json.bufferViews!.push(...Array.from({ length: 8000 }, () => structuredClone(large)));
    });
    expect(message).toMatch(/^The compressed buffer views up to bufferViews\[\d+\] hold \d+ bytes\. \[at most 268435456 bytes\]$/);
  });
});

describe('images', () => {
  const withImage = (image: Uint8Array): Promise<string> =>
    changed((json, model) => {
      json.images = [{ bufferView: model.view(image) }];
      json.textures = [{ source: 0 }];
      json.materials = [{ pbrMetallicRoughness: { baseColorTexture: { index: 0 } } }];
    });
  const plain = (width: number, height: number) => sharp({ create: { width, height, channels: 3, background: '#808080' } }).png({ compressionLevel: 1 });

  test('no image, and formats that are not read', async () => {
    expect(await withImage(new Uint8Array(40))).toContain('Image 0 is in no format that is read here. [PNG, JPEG or WebP]');
    expect(await withImage(new TextEncoder().encode('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'))).toContain('no format');
    expect(await withImage(new Uint8Array(await plain(2, 2).gif().toBuffer()))).toContain('no format');
  });
  test('corrupt and truncated', async () => {
    const good = new Uint8Array(await plain(64, 64).toBuffer());
    expect(await withImage(good.subarray(0, 20))).toContain('Image 0 cannot be decoded');
    expect(await withImage(good.subarray(0, good.length - 40))).toContain('Image 0 cannot be decoded');
    expect(await withImage(good.fill(0x55, 45, 70))).toContain('Image 0 cannot be decoded');
  });
  test('too large', async () => {
    expect(await withImage(new Uint8Array(await plain(8193, 1).toBuffer()))).toBe('Image 0 has 8193 x 1 pixels. [at most 8192 x 8192 pixels]');
  });
  test('a bomb: 16384 x 16384 pixels in a PNG of 33 kB', async () => {
    const chunk = (type: string, data: Uint8Array): Uint8Array => {
      const body = Buffer.concat([Buffer.from(type), data]);
      const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
      length.writeUInt32BE(data.byteLength);
      sum.writeUInt32BE(crc32(body));
      return Buffer.concat([length, body, sum]);
    };
    const edge = 16384;
    // One bit a pixel, grey.
    const header = Buffer.alloc(13);
    header.writeUInt32BE(edge, 0);
    header.writeUInt32BE(edge, 4);
    header[8] = 1;
    const rows = deflateSync(new Uint8Array(edge * (1 + edge / 8)));
    const start = Buffer.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
    const bomb = Buffer.concat([start, chunk('IHDR', header), chunk('IDAT', rows), chunk('IEND', new Uint8Array())]);
    expect(bomb.byteLength).toBeLessThan(100_000);
    expect(await withImage(new Uint8Array(bomb))).toBe('Image 0 has 16384 x 16384 pixels. [at most 8192 x 8192 pixels]');
  });
  test('too many texels together', async () => {
    const large = new Uint8Array(await plain(8192, 8192).toBuffer());
    const message = await changed((json, model) => {
      const bufferView = model.view(large);
      json.images = [0, 1, 2].map(() => ({ bufferView }));
      json.textures = [0, 1, 2].map((source) => ({ source }));
      json.materials = [0, 1, 2].map((index) => ({ emissiveTexture: { index } }));
    });
    expect(message).toBe(`The images up to image 2 take ${3 * 8192 * 8192 * 4} bytes once decoded. [at most ${sceneLimits.texelBytesMax} bytes]`);
  });
});
