import { describe, expect, test } from 'vitest';
import { glbOf, type LooseGltf, triangleModel, trianglePositions } from './glb.testing.ts';
import { readGltf } from './gltf.ts';
import { changed, refusal } from './gltfRefusal.testing.ts';
import { sceneLimits } from './limits.ts';

describe('the container', () => {
  const good = triangleModel().bytes();
  const patched = (at: number, word: number): Uint8Array => {
    const bytes = good.slice();
    new DataView(bytes.buffer).setUint32(at, word, true);
    return bytes;
  };

  test('nothing, text, another format', async () => {
    expect(await refusal(new Uint8Array())).toContain('not a binary glTF file');
    expect(await refusal(new TextEncoder().encode('{"asset":{"version":"2.0"}}        '))).toContain('not a binary glTF file');
    expect(await refusal(patched(0, 0x46546c68))).toContain('not a binary glTF file');
  });
  test('another version', async () => expect(await refusal(patched(4, 1))).toBe('The file is GLB version 1. [GLB version 2]'));
  test('truncated anywhere', async () => {
    for (const length of [1, 11, 19, 20, 40, good.length - 40, good.length - 1])
      expect(await refusal(good.subarray(0, length))).toMatch(/GLB header|glTF file/);
  });
  test('lengths that lie', async () => {
    expect(await refusal(patched(8, good.length + 4))).toContain(`announces ${good.length + 4} bytes, but the file has ${good.length}`);
    expect(await refusal(patched(12, 0xfffffff0))).toContain('The chunk at byte 12 announces 4294967280 bytes');
    const jsonBytes = new DataView(good.buffer).getUint32(12, true);
    expect(await refusal(patched(20 + jsonBytes, 0x7fffffff))).toContain(`The chunk at byte ${20 + jsonBytes} announces 2147483647 bytes`);
    expect(await refusal(patched(12, good.length - 24))).toMatch(/ends inside the header|not valid JSON/);
  });
  test('a first chunk that is not JSON, JSON that is none', async () => {
    expect(await refusal(patched(16, 0x004e4942))).toContain('not its JSON chunk');
    expect(await refusal(glbOf('{"asset":'))).toContain('not valid JSON');
    expect(await refusal(glbOf(''))).toContain('not valid JSON');
    const invalid = glbOf('{"asset":"____"}');
    invalid.set([0xff, 0xfe, 0xff, 0xfe], 30);
    expect(await refusal(invalid)).toContain('not valid JSON');
  });
  test('a JSON chunk beyond its cap', async () => {
    const text = `{"asset":{"version":"2.0"}}${' '.repeat(sceneLimits.jsonBytesMax)}`;
    expect(await refusal(glbOf(text))).toContain(`at most ${sceneLimits.jsonBytesMax} bytes`);
  });
  test('a container at an odd place in memory is fine', async () => {
    const shifted = new Uint8Array(good.length + 1);
    shifted.set(good, 1);
    expect((await readGltf(shifted.subarray(1))).meshes[0]!.count).toBe(1);
  });
});

describe('the shape of the JSON', () => {
  test.each([
    ['null', 'null', 'its top'],
    ['an array', '[]', 'its top'],
    ['no asset', '{}', 'its top'],
    ['nodes that are no list', '{"asset":{"version":"2.0"},"nodes":{}}', 'nodes'],
    ['a negative index', '{"asset":{"version":"2.0"},"nodes":[{"mesh":-1}]}', 'nodes[0].mesh'],
    ['a fraction as an index', '{"asset":{"version":"2.0"},"nodes":[{},{"children":[0.5]}]}', 'nodes[1].children[0]'],
    ['a number beyond f64', '{"asset":{"version":"2.0"},"nodes":[{"translation":[0,1e999,0]}]}', 'nodes[0].translation[1]'],
    ['a short matrix', '{"asset":{"version":"2.0"},"nodes":[{"matrix":[1]}]}', 'nodes[0].matrix'],
    ['an unknown component type', '{"asset":{"version":"2.0"},"accessors":[{"componentType":1,"count":1,"type":"VEC3"}]}', 'accessors[0].componentType'],
    ['an empty mesh', '{"asset":{"version":"2.0"},"meshes":[{"primitives":[]}]}', 'meshes[0].primitives'],
    [
      'a field of view of 180 degrees',
      '{"asset":{"version":"2.0"},"cameras":[{"type":"perspective","perspective":{"yfov":3.2}}]}',
      'cameras[0].perspective.yfov',
    ],
  ])('%s', async (_, json, path) => expect(await refusal(glbOf(json))).toContain(`The glTF JSON is wrong at ${path}:`));

  test('glTF 1.0', async () => expect(await refusal(glbOf('{"asset":{"version":"1.0"}}'))).toContain('asset.version is "1.0"'));
  test('keys that JavaScript treats specially change nothing', async () => {
    const model = triangleModel();
    const text = JSON.stringify({ ...model.json, buffers: [{ byteLength: 36 }] }).replace('{', '{"__proto__":{"nodes":5},"constructor":{"prototype":1},');
    expect((await readGltf(glbOf(text, new Uint8Array(trianglePositions.buffer)))).meshes[0]!.count).toBe(1);
    expect(({} as { nodes?: unknown }).nodes).toBeUndefined();
  });
  test('deep nesting where nobody looks', async () => {
    const text = JSON.stringify({ ...triangleModel().json, buffers: [{ byteLength: 36 }], extras: 0 }).replace(
      '"extras":0',
      `"extras":${'['.repeat(1e5)}${']'.repeat(1e5)}`,
    );
    expect((await readGltf(glbOf(text, new Uint8Array(trianglePositions.buffer)))).meshes[0]!.count).toBe(1);
  });
});

describe('references', () => {
  test('a required extension', async () => {
    const message = await changed((json) => {
      json.extensionsRequired = ['KHR_draco_mesh_compression'];
    });
    expect(message).toContain('requires the extension KHR_draco_mesh_compression');
  });

  test.each<[string, (json: LooseGltf) => void]>([
    ['nodes[0].mesh is 7, but there are only 1', (json) => (json.nodes![0]!.mesh = 7)],
    ['nodes[0].camera is 0, but there are only 0', (json) => (json.nodes![0]!.camera = 0)],
    ['nodes[0].children is 5', (json) => (json.nodes![0]!.children = [5])],
    ['scenes[0].nodes is 3', (json) => (json.scenes![0]!.nodes = [3])],
    ['scene is 1', (json) => (json.scene = 1)],
    ['meshes[0].primitives[0].indices is 4', (json) => (json.meshes![0]!.primitives[0]!.indices = 4)],
    ['meshes[0].primitives[0].material is 0', (json) => (json.meshes![0]!.primitives[0]!.material = 0)],
    ['meshes[0].primitives[0].attributes.COLOR_0 is 9', (json) => (json.meshes![0]!.primitives[0]!.attributes.COLOR_0 = 9)],
    ['accessors[0].bufferView is 1', (json) => (json.accessors![0]!.bufferView = 1)],
    ['bufferViews[0].buffer is 1', (json) => (json.bufferViews![0]!.buffer = 1)],
    ['materials[0].normalTexture.index is 0', (json) => (json.materials = [{ normalTexture: { index: 0 } }])],
    ['textures[0].source is 0', (json) => (json.textures = [{ source: 0 }])],
    ['textures[0] has no source', (json) => (json.textures = [{}])],
    ['images[0] has neither', (json) => (json.images = [{}])],
    ['cameras[0].perspective is missing', (json) => (json.cameras = [{ type: 'perspective' }])],
  ])('%s', async (expected, change) => expect(await changed(change)).toContain(expected));

  test.each(['mesh.bin', 'https://example.org/data:x', 'file:///etc/passwd', '//host/a.png'])('the external URI %s', async (uri) => {
    expect(await changed((json) => (json.buffers = [{ uri, byteLength: 36 }]))).toContain('buffers[0].uri names another file');
    expect(await changed((json) => (json.images = [{ uri }]))).toContain('images[0].uri names another file');
  });
  test('a data URI that is not base64', async () =>
    expect(await changed((json) => (json.images = [{ uri: 'data:image/svg+xml,<svg/>' }]))).toContain('not base64'));

  test.each<[string, (json: LooseGltf) => void]>([
    ['buffers[0].byteLength is 400, but there are only 36 bytes', (json) => (json.buffers = [{ byteLength: 400 }])],
    ['buffers[0].byteLength is 36, but there are only 3 bytes', (json) => (json.buffers = [{ byteLength: 36, uri: 'data:;base64,AAAA' }])],
    [
      'buffers[1] has no data',
      (json) => {
        json.buffers = [{ byteLength: 36 }, { byteLength: 36 }];
        json.bufferViews![0]!.buffer = 1;
      },
    ],
    ['bufferViews[0] ends at byte 37 of a buffer of 36 bytes', (json) => (json.bufferViews![0]!.byteLength = 37)],
    ['bufferViews[0] ends at byte 72 of a buffer', (json) => (json.bufferViews![0]!.byteOffset = 36)],
    ['accessors[0] ends at byte 48', (json) => (json.accessors![0]!.count = 4)],
    ['accessors[0] ends at byte 40', (json) => (json.accessors![0]!.byteOffset = 4)],
    ['accessors[0] ends at byte 52', (json) => (json.bufferViews![0]!.byteStride = 20)],
    ['accessors[0].sparse.count is 9', (json) => (json.accessors![0]!.sparse = sparse(9, 0))],
    ['accessors[0].sparse.indices ends at byte 39', (json) => (json.accessors![0]!.sparse = sparse(3, 36))],
    ['accessors[0].sparse.values.bufferView is 8', (json) => (json.accessors![0]!.sparse = { ...sparse(1, 0), values: { bufferView: 8 } })],
  ])('%s', async (expected, change) => expect(await changed(change)).toContain(expected));

  const sparse = (count: number, byteOffset: number) => ({
    count,
    indices: { bufferView: 0, byteOffset, componentType: 5121 as const },
    values: { bufferView: 0 },
  });

  test('accessors of the wrong kind', async () => {
    expect(await changed((json) => (json.accessors![0]!.type = 'VEC2'))).toContain('attributes.POSITION is of type VEC2. [VEC3]');
    expect(await changed((json) => (json.meshes![0]!.primitives[0]!.indices = 0))).toContain('indices is of type VEC3. [SCALAR]');
    const floats = await changed((json, model) => (json.meshes![0]!.primitives[0]!.indices = model.accessor(Float32Array.of(0, 1, 2), 'SCALAR')));
    expect(floats).toContain('indices has component type 5126');
  });
  test('attributes of different lengths', async () => {
    const message = await changed((json, model) => (json.meshes![0]!.primitives[0]!.attributes.NORMAL = model.accessor(new Float32Array(6), 'VEC3')));
    expect(message).toContain('has 3 positions, but 2 of NORMAL');
  });
});

describe('the node tree', () => {
  test('a cycle, in the scene or beside it', async () => {
    expect(await changed((json) => json.nodes!.push({ children: [2] }, { children: [1] }))).toContain('is its own ancestor');
    expect(await changed((json) => (json.nodes![0]!.children = [0]))).toContain('nodes[0] is its own ancestor');
  });
  test('two parents, or twice in the scene', async () => {
    expect(await changed((json) => json.nodes!.push({ children: [0] }, { children: [0] }))).toContain('nodes[0] has two parents, nodes[1] and nodes[2]');
    expect(await changed((json) => (json.scenes![0]!.nodes = [0, 0]))).toContain('nodes[0] occurs twice');
  });
  test('nested too deep', async () => {
    const chain = (length: number) => (json: LooseGltf) => {
      json.nodes = Array.from({ length }, (_, i) => (i + 1 < length ? { children: [i + 1] } : { mesh: 0 }));
    };
    expect(await changed(chain(sceneLimits.nodeDepthMax + 2))).toContain(`at most ${sceneLimits.nodeDepthMax} levels`);
    expect(await changed(chain(90_000))).toContain('nested too deep');
  });
});

describe('sizes', () => {
  test('too many nodes, materials, textures', async () => {
    expect(await changed((json) => (json.nodes = new Array(sceneLimits.nodesMax + 1).fill({})))).toContain(
      `nodes: must not have more than ${sceneLimits.nodesMax}`,
    );
    expect(await changed((json) => (json.materials = new Array(sceneLimits.materialsMax + 1).fill({})))).toContain('materials: must not have more than 10000');
    expect(await changed((json) => (json.textures = new Array(sceneLimits.texturesMax + 1).fill({ source: 0 })))).toContain(
      'textures: must not have more than 256',
    );
  });
  test('too many triangles, counted before they are built', async () => {
    // 2000 triangles in each of 600 meshes.
    const message = await changed(
      (json) => {
        json.meshes = new Array(600).fill(json.meshes![0]!);
        json.nodes = json.meshes.map((_, mesh) => ({ mesh }));
        json.scenes = [{ nodes: json.nodes.map((_, i) => i) }];
      },
      new Float32Array(2000 * 9),
    );
    expect(message).toBe('The scene has 1200000 triangles. [at most 1048576 triangles]');
  });
  test('too many instances, counted before they are built', async () => {
    const message = await changed((json, model) => {
      const bufferView = model.view(new Uint8Array(12 * 65536));
      const accessor = (count: number) => json.accessors!.push({ bufferView, componentType: 5126, count, type: 'VEC3' }) - 1;
      const many = accessor(65536);
      // More copies than there may be triangles, so that even one triangle is placed as instances.
      json.nodes = Array.from({ length: 20 }, () => ({ mesh: 0, extensions: { EXT_mesh_gpu_instancing: { attributes: { TRANSLATION: many } } } }));
      json.scenes = [{ nodes: json.nodes.map((_, i) => i) }];
    });
    expect(message).toBe('The scene has 1310720 instances of meshes. [at most 100000 instances]');
  });
  test('too many frames of too many moving nodes', async () => {
    const model = triangleModel();
    const [input, output] = [model.accessor(Float32Array.of(0, 1), 'SCALAR'), model.accessor(new Float32Array(6), 'VEC3')];
    model.json.nodes = [{ children: Array.from({ length: 2000 }, (_, i) => i + 1) }, ...Array.from({ length: 2000 }, () => ({}))];
    model.json.animations = [{ samplers: [{ input, output }], channels: [{ sampler: 0, target: { node: 0, path: 'translation' } }] }];
    const reading = readGltf(model.bytes(), { frames: 1000, firstFrame: 0, framesPerSecond: 24 });
    await expect(reading).rejects.toMatchObject({ message: '2001 nodes move over 1000 frames.', limit: 'at most 1000000 transforms, nodes times frames' });
  });
  test('a million nodes, and other lists and objects beyond any use', async () => {
    expect(await changed((json) => (json.nodes = new Array(1_000_000).fill({})))).toBe(
      'The glTF JSON is wrong at nodes: it has 1000000 items. [at most 200000 items]',
    );
    expect(await changed((json) => (json.nodes![0]!.children = new Array(200_001).fill(0)))).toContain('nodes[].children: it has 200001 items');
    const attributes = Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`_A${i}`, 0]));
    expect(await changed((json) => Object.assign(json.meshes![0]!.primitives[0]!.attributes, attributes))).toContain('attributes: it has 1002 keys');
    expect(await refusal(glbOf(`{"asset":${'['.repeat(1e5)}${']'.repeat(1e5)}}`))).toContain('nested too deep at asset[][]');
  });
  test('a huge accessor without data', async () => {
    const message = await changed((json) => (json.accessors![0] = { componentType: 5126, count: 2e9, type: 'VEC3' }));
    expect(message).toContain(`at most ${sceneLimits.accessorNumbersMax} numbers`);
  });
  test('the same bytes named by many accessors', async () => {
    const message = await changed((json, model) => {
      const bufferView = model.view(new Uint8Array(1_200_000));
      json.accessors!.push(...Array.from({ length: 60 }, () => ({ bufferView, componentType: 5121 as const, count: 1_200_000, type: 'SCALAR' as const })));
    });
    expect(message).toContain('numbers. [at most');
  });
  test('no triangles', async () => {
    expect(await refusal(glbOf('{"asset":{"version":"2.0"}}'))).toContain('The scene has no triangles');
    expect(await changed((json) => (json.meshes![0]!.primitives[0]!.mode = 1))).toContain('The scene has no triangles');
    expect(await changed((json) => (json.scenes![0]!.nodes = []))).toContain('The scene has no triangles');
    expect(await changed(() => undefined, new Float32Array(9))).toContain('no triangles with an area');
  });
});

describe('numbers', () => {
  test.each([Number.NaN, Infinity, -Infinity, 2e9])('a position of %f', async (value) => {
    const positions = trianglePositions.slice();
    positions[4] = value;
    expect(await changed(() => undefined, positions)).toContain(
      'meshes[0], placed by nodes[0], has a vertex that is not a number or too far out. [coordinates up to 1000000000]',
    );
  });
  test('a scale that makes one infinite', async () => {
    expect(await changed((json) => (json.nodes![0]!.scale = [1e300, 1, 1]))).toContain('not a number or too far out');
  });
  test.each([new Uint8Array([0, 1, 3]), new Uint16Array([0, 1, 65535]), new Uint32Array([4294967295, 1, 2])])('an index out of range: %o', async (indices) => {
    const message = await changed((json, model) => (json.meshes![0]!.primitives[0]!.indices = model.accessor(indices, 'SCALAR')));
    expect(message).toMatch(/meshes\[0\]\.primitives\[0\]\.indices names vertex \d+, but there are only 3/);
  });
  test('a blinding light', async () => {
    const message = await changed((json) => {
      json.extensionsUsed = ['KHR_materials_emissive_strength'];
      json.materials = [{ emissiveFactor: [1, 1, 1], extensions: { KHR_materials_emissive_strength: { emissiveStrength: 1e30 } } }];
    });
    expect(message).toContain('materials[0] emits a radiance of 1e+30');
  });
});
