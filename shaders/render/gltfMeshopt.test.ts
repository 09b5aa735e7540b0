import { WebIO } from '@gltf-transform/core';
import { EXTMeshoptCompression } from '@gltf-transform/extensions';
import { MeshoptDecoder } from 'meshoptimizer/decoder';
import { MeshoptEncoder } from 'meshoptimizer/encoder';
import { expect, test } from 'vitest';
import { Model, turn } from './gallery/model.ts';
import { sphere } from './gallery/shapes.ts';
import { glbOf, triangleModel } from './glb.testing.ts';
import { readGlb } from './glb.ts';
import { readGltf } from './gltf.ts';
import type { Gltf } from './gltfSchema.ts';
import type { Triangles } from './mesh.ts';

const timeline = { frames: 3, firstFrame: 0, framesPerSecond: 1 };

/** A model with indices, attributes, instances and an animation, and the same as an exporter would compress it. */
async function pair(): Promise<{ plain: Uint8Array; small: Uint8Array }> {
  const model = new Model();
  const mesh = model.mesh(sphere(1, 12), model.material({}));
  model.scatter(
    mesh,
    Array.from({ length: 40 }, (_, i) => ({ at: [i * 3, 0, 0] as const })),
  );
  model.animate(model.place(mesh, { at: [0, 9, 0] }), { times: [0, 2], rotation: [turn([0, 1, 0], 0), turn([0, 1, 0], 90)] });
  const plain = await model.write();
  await MeshoptEncoder.ready;
  model.document.createExtension(EXTMeshoptCompression).setRequired(true).setEncoderOptions({ method: EXTMeshoptCompression.EncoderMethod.FILTER });
  const io = new WebIO().registerExtensions([
    ...model.document
      .getRoot()
      .listExtensionsUsed()
      .map((used) => used.constructor as typeof EXTMeshoptCompression),
  ]);
  io.registerDependencies({ 'meshopt.encoder': MeshoptEncoder, 'meshopt.decoder': MeshoptDecoder });
  return { plain, small: await io.writeBinary(model.document) };
}

/** Largest difference of a normal's parts; the codec of triangles may begin with another corner. Fails where the positions are not the same. */
function worstNormal(found: Triangles, expected: Triangles): number {
  let worst = 0;
  for (let triangle = 0; triangle < expected.count; triangle++) {
    const corner = (list: Float32Array, index: number) => [...list.subarray(triangle * 9 + (index % 3) * 3, triangle * 9 + (index % 3) * 3 + 3)];
    const same = (first: number) => [0, 1, 2].every((i) => `${corner(found.positions, i)}` === `${corner(expected.positions, first + i)}`);
    const first = [0, 1, 2].find(same);
    expect(first).toBeDefined();
    for (const i of [0, 1, 2])
      for (const [axis, value] of corner(found.normals, i).entries()) worst = Math.max(worst, Math.abs(value - corner(expected.normals, first! + i)[axis]!));
  }
  return worst;
}

test('EXT_meshopt_compression gives what was compressed, and its successor the same', async () => {
  const { plain, small } = await pair();
  const { json, binary } = readGlb(small);
  const views = (json as Gltf).bufferViews!;
  expect(new Set(views.map(({ extensions }) => extensions?.EXT_meshopt_compression?.mode))).toEqual(new Set(['ATTRIBUTES', 'TRIANGLES']));
  expect(new Set(views.map(({ extensions }) => extensions?.EXT_meshopt_compression?.filter))).toContain('OCTAHEDRAL');
  const renamed = glbOf(JSON.stringify(json).replaceAll('EXT_meshopt_compression', 'KHR_meshopt_compression'), binary);
  const expected = await readGltf(plain, timeline);
  for (const bytes of [small, renamed]) {
    const scene = await readGltf(bytes, timeline);
    expect(scene.report).toEqual(expected.report);
    expect(scene.instances.length).toBe(41);
    expect(scene.meshes.map(({ count }) => count)).toEqual(expected.meshes.map(({ count }) => count));
    const off = worstNormal(scene.meshes[0]!, expected.meshes[0]!);
    expect(off).toBeGreaterThan(0);
    expect(off).toBeLessThan(0.02);
    for (const [i, { transforms }] of scene.instances.entries())
      for (const [frame, matrix] of transforms.entries())
        for (const [at, value] of matrix.entries()) expect(value).toBeCloseTo(expected.instances[i]!.transforms[frame]![at]!, 3);
  }
});

test('colours with the filter that only the successor has', async () => {
  await MeshoptEncoder.ready;
  const model = triangleModel();
  const colors = Float32Array.of(1, 0, 0, 1, 0, 1, 0, 1, 0, 0, 1, 0.5);
  const stream = MeshoptEncoder.encodeVertexBuffer(MeshoptEncoder.encodeFilterColor(colors, 3, 4, 8), 3, 4);
  const at = model.view(stream);
  const { byteOffset } = model.json.bufferViews![at]!;
  const KHR_meshopt_compression = {
    buffer: 0,
    byteOffset: byteOffset!,
    byteLength: stream.byteLength,
    byteStride: 4,
    count: 3,
    mode: 'ATTRIBUTES' as const,
    filter: 'COLOR' as const,
  };
  const bufferView = model.json.bufferViews!.push({ buffer: 1, byteLength: 12, extensions: { KHR_meshopt_compression } }) - 1;
  const accessor = model.json.accessors!.push({ bufferView, componentType: 5121, count: 3, type: 'VEC4', normalized: true }) - 1;
  model.json.meshes![0]!.primitives[0]!.attributes.COLOR_0 = accessor;
  model.json.buffers = [{ byteLength: 36 + Math.ceil(stream.byteLength / 4) * 4 }, { byteLength: 12 }];
  const read = (await readGltf(model.bytes())).meshes[0]!.colors!;
  for (const [i, value] of read.entries()) expect(value).toBeCloseTo(colors[i]!, 1);
});
