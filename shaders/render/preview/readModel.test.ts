import { describe, expect, test } from 'vitest';
import { scenes } from '../gallery/scenes.ts';
import { glbOf, TestModel, triangleModel } from '../glb.testing.ts';
import { readGltf } from '../gltf.ts';
import { halfOf, shrink } from './environment.ts';
import { readModel } from './readModel.ts';

/** Black but for one pixel, at (x, y) from the top left. */
function environmentOfPixel(width: number, height: number, x: number, y: number, radiance: number): { width: number; height: number; pixels: Float32Array } {
  const pixels = new Float32Array(width * height * 3);
  pixels.fill(radiance, (y * width + x) * 3, (y * width + x + 1) * 3);
  return { width, height, pixels };
}

const failure = async (read: Promise<unknown>): Promise<object> =>
  read.then(
    () => ({}),
    ({ name, field, message, limit }) => ({ name, field, message, limit }),
  );

describe('what a preview reads of a file', () => {
  test.each([
    ['no GLB', new TextEncoder().encode('nothing of the kind')],
    ['no JSON', glbOf('{')],
    ['a wrong shape', glbOf({ asset: { version: '2.0' }, meshes: [{ primitives: 3 }] })],
    ['a wrong item deep in a list', glbOf({ asset: { version: '2.0' }, nodes: [{}, { mesh: -1 }] })],
    ['an index that leads nowhere', glbOf({ asset: { version: '2.0' }, nodes: [{ mesh: 4 }], scenes: [{ nodes: [0] }] })],
    ['no triangles', glbOf({ asset: { version: '2.0' }, nodes: [{}], scenes: [{ nodes: [0] }] })],
    ['an unknown extension that it needs', glbOf({ asset: { version: '2.0' }, extensionsRequired: ['KHR_nothing'] })],
  ])('%s is refused in the words of the coordinator', async (_, bytes) => {
    const refused = await failure(readModel(bytes));
    expect(refused).toMatchObject({ name: 'InputError', field: 'model' });
    expect(refused).toEqual(await failure(readGltf(bytes)));
  });

  test('the gallery is read whole, and nothing of it is ignored', async () => {
    for (const { files } of await scenes()) {
      if (!files.model) continue;
      const { gltf, report, buffers } = await readModel(files.model);
      expect(report).toEqual([]);
      expect(gltf.meshes!.length).toBeGreaterThan(0);
      expect(buffers.map(({ byteLength }) => byteLength)).toEqual(gltf.buffers!.map(({ byteLength }) => byteLength));
    }
  });

  test('what will not be rendered is told, and is not shown either', async () => {
    const model = triangleModel();
    const position = model.json.meshes![0]!.primitives[0]!.attributes.POSITION!;
    model.json.meshes![0]!.primitives.push({ attributes: { POSITION: position }, mode: 1 });
    model.json.meshes![0]!.primitives[0]!.targets = [{ POSITION: position }];
    model.json.extensionsUsed = ['KHR_materials_sheen'];
    model.json.materials = [{ extensions: { KHR_materials_sheen: { sheenRoughnessFactor: 1 } } as object }];
    model.json.skins = [{ joints: [0] }];
    const { gltf, report } = await readModel(model.bytes());
    expect(report).toEqual([
      'The extension KHR_materials_sheen was ignored (sheen).',
      'Skins were ignored: the meshes are rendered in their rest pose (1).',
      'Points and lines were ignored (1).',
      'Morph targets were ignored (1).',
    ]);
    expect(gltf.meshes![0]!.primitives).toEqual([{ attributes: { POSITION: position } }]);
    expect(gltf.materials).toEqual([{ extensions: {} }]);
    expect([gltf.skins, gltf.extensionsUsed]).toEqual([undefined, []]);
  });

  test('all animations become one, of several that move the same the last', async () => {
    const model = triangleModel();
    const [times, first, last] = [
      model.accessor(Float32Array.of(0, 1), 'SCALAR'),
      model.accessor(Float32Array.of(0, 0, 0, 1, 0, 0), 'VEC3'),
      model.accessor(Float32Array.of(0, 0, 0, 0, 2, 0), 'VEC3'),
    ];
    const one = (output: number, path: string) => ({ channels: [{ sampler: 0, target: { node: 0, path } }], samplers: [{ input: times, output }] });
    model.json.animations = [one(first, 'translation'), one(first, 'scale'), one(last, 'translation'), one(last, 'weights')];
    const { gltf } = await readModel(model.bytes());
    const [only] = gltf.animations!;
    expect(gltf.animations).toHaveLength(1);
    expect(only!.channels.map(({ sampler, target }) => [target.path, only!.samplers[sampler]!.output])).toEqual([
      ['translation', last],
      ['scale', first],
    ]);
  });

  test('buffers and images of data URIs are there as bytes', async () => {
    const model = new TestModel();
    const { bytes } = { bytes: Float32Array.of(0, 0, 0, 1, 0, 0, 0, 1, 0) };
    model.json.buffers = [{ uri: `data:application/octet-stream;base64,${Buffer.from(bytes.buffer).toString('base64')}`, byteLength: 36 }];
    model.json.bufferViews = [{ buffer: 0, byteLength: 36 }];
    model.json.accessors = [{ bufferView: 0, componentType: 5126, count: 3, type: 'VEC3' }];
    model.json.images = [{ uri: `data:image/png;base64,${Buffer.from('picture').toString('base64')}` }];
    model.node({ mesh: model.mesh({ attributes: { POSITION: 0 } }) });
    const { buffers, images } = await readModel(glbOf(model.json));
    expect([...new Float32Array(buffers[0]!)]).toEqual([...bytes]);
    expect(new TextDecoder().decode(images[0])).toBe('picture');
  });
});

describe('environment maps', () => {
  test.each([
    [0, 0],
    [1, 0x3c00],
    [0.5, 0x3800],
    [2 ** -14, 0x0400],
    [2 ** -24, 1],
    [2 ** -26, 0],
    [65504, 0x7bff],
    [1e9, 0x7bff],
    [1.5, 0x3e00],
  ])('%f as binary16', (value, half) => expect(halfOf(value)).toBe(half));

  test('are made small by means over squares', () => {
    const map = shrink(environmentOfPixel(2048, 1024, 5, 3, 8));
    expect([map.width, map.height]).toEqual([1024, 512]);
    const lit = [...map.halves.keys()].filter((at) => at % 4 === 0 && map.halves[at] !== 0);
    expect(lit).toEqual([(1024 + 2) * 4]);
    expect(map.halves[lit[0]!]).toBe(halfOf(2));
    expect(map.halves[3]).toBe(0x3c00);
  });

  test('that are small stay as they are', () => {
    const map = shrink(environmentOfPixel(16, 8, 1, 1, 1));
    expect([map.width, map.height, map.halves[(16 + 1) * 4]]).toEqual([16, 8, 0x3c00]);
  });
});
