import { cameraRays, lookAt } from '../camera.ts';
import { cornellBox } from '../cornell.ts';
import { type Equirect, packEnvironment } from '../environment.ts';
import {
  type Image,
  identityMatrix,
  type Material,
  type Matrix,
  type MeshScene,
  type PunctualLight,
  stillScene,
  type Texture,
  type TextureSlot,
  TriangleBuilder,
  type Triangles,
  type Vec3,
  whiteMaterial,
} from '../mesh.ts';
import { nothingBeyond, packScene } from '../pack.ts';
import type { Beyond } from '../packLights.ts';
import type { RenderJob, RenderParams, RenderPrepared } from '../params.ts';

/** Small scenes made by rule, for tests and benchmarks in Node and in browsers. No part of the product. */

export interface TestScene {
  readonly job: RenderJob;
  readonly packed: Uint8Array<ArrayBuffer>;
}

/** A job over a scene. A test sets what it needs of parameters, prepared facts and what shines from beyond. */
export function sceneJob(
  mesh: MeshScene,
  params: Partial<RenderParams> = {},
  prepared: Partial<RenderPrepared> = {},
  beyond: Beyond = nothingBeyond,
): TestScene {
  const { bytes } = packScene(mesh, beyond);
  const full: RenderParams = { scene: 'file', width: 64, height: 64, samples: 16, bounces: 5, lighting: 'auto', ...params };
  const camera = mesh.cameras[0] ?? lookAt([0, 0, 3], [0, 0, 0], 1);
  if (!camera) throw new Error('a test scene has no camera');
  return {
    packed: bytes,
    job: {
      id: 'j_testtesttesttest' as RenderJob['id'],
      seed: 20,
      params: full,
      prepared: {
        triangles: mesh.meshes.reduce((sum, { count }) => sum + count, 0),
        sky: [0, 0, 0],
        cameras: camera.poses.map((pose) => cameraRays(camera, pose, full.width / full.height, { radius: 0, focus: 1 })),
        quantumLog2: 0,
        depthLog2: -8,
        cost: { columns: 1, rows: 1, steps: [[80]] },
        cpuStepsPerMs: 1000,
        ...prepared,
      },
    },
  };
}

export function quad(builder: TriangleBuilder, corner: Vec3, right: Vec3, up: Vec3, material: number, repeats = 1): void {
  const at = (r: number, u: number): Vec3 => [corner[0] + right[0] * r + up[0] * u, corner[1] + right[1] * r + up[1] * u, corner[2] + right[2] * r + up[2] * u];
  builder.add([...at(0, 0), ...at(1, 0), ...at(1, 1)], null, [0, repeats, repeats, repeats, repeats, 0], material);
  builder.add([...at(0, 0), ...at(1, 1), ...at(0, 1)], null, [0, repeats, repeats, 0, 0, 0], material);
}

/** A sphere of 2 * rings^2 facets with smooth normals. */
export function sphere(builder: TriangleBuilder, centre: Vec3, radius: number, rings: number, material: number): void {
  const direction = (i: number, j: number): Vec3 => {
    const [theta, phi] = [(Math.PI * i) / rings, (Math.PI * j) / rings];
    return [Math.sin(theta) * Math.cos(phi), Math.cos(theta), Math.sin(theta) * Math.sin(phi)];
  };
  const corner = (n: Vec3): Vec3 => [centre[0] + radius * n[0], centre[1] + radius * n[1], centre[2] + radius * n[2]];
  const facet = (places: readonly (readonly [number, number])[]): void => {
    const normals = places.map(([i, j]) => direction(i, j));
    const uvs = places.flatMap(([i, j]) => [j / (2 * rings), i / rings]);
    builder.add(normals.flatMap(corner), normals.flat(), uvs, material);
  };
  for (let i = 0; i < rings; i++) {
    for (let j = 0; j < 2 * rings; j++) {
      facet([
        [i, j],
        [i, j + 1],
        [i + 1, j + 1],
      ]);
      facet([
        [i, j],
        [i + 1, j + 1],
        [i + 1, j],
      ]);
    }
  }
}

/** `paint` gives three bytes of a pixel. */
function image(width: number, height: number, paint: (x: number, y: number) => Vec3): Image {
  const texels = new Uint8Array(width * height * 4).fill(255);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) texels.set(paint(x, y), (y * width + x) * 4);
  return { width, height, texels };
}

const material = (changes: Partial<Material>): Material => ({ ...whiteMaterial, ...changes });

/** Textures of every wrap and filter, metals of several roughnesses, a textured light, a double-sided one, 3,000 triangles. */
export function studio(): MeshScene {
  const images = [
    image(8, 8, (x, y) => ((x + y) % 2 ? [230, 200, 120] : [40, 60, 160])),
    image(5, 3, (x, y) => [0, (x * 60 + 10) % 256, (y * 120) % 256]),
    image(4, 4, (x, y) => [255, (x * 64) % 256, (y * 64) % 256]),
  ];
  const textures: Texture[] = [
    { image: 0, wrapS: 'repeat', wrapT: 'mirror', nearest: false, srgb: true },
    { image: 1, wrapS: 'clamp', wrapT: 'repeat', nearest: false, srgb: false },
    { image: 2, wrapS: 'mirror', wrapT: 'clamp', nearest: true, srgb: true },
  ];
  const slot = (texture: number): TextureSlot => ({ texture, uvSet: 0, transform: [1, 0, 0, 0, 1, 0] });
  const materials = [
    material({ textures: { base: slot(0) }, roughness: 0.6 }),
    material({ baseColor: [0.9, 0.7, 0.3], metallic: 1, roughness: 0.15 }),
    material({ baseColor: [0.95, 0.95, 0.95], metallic: 1, roughness: 0 }),
    material({ baseColor: [0.8, 0.3, 0.3], textures: { metallicRoughness: slot(1) }, metallic: 1, roughness: 1 }),
    material({ emission: [9, 8, 7], textures: { emission: slot(2) } }),
    material({ emission: [1, 2, 5], doubleSided: true, baseColor: [0.2, 0.2, 0.2] }),
    material({ baseColor: [0.1, 0.5, 0.2], roughness: 0.05 }),
  ];
  const builder = new TriangleBuilder(6000);
  quad(builder, [-3, 0, 3], [6, 0, 0], [0, 0, -6], 0, 3.7);
  quad(builder, [-3, 0, -3], [6, 0, 0], [0, 4, 0], 0, -1.3);
  sphere(builder, [-1.1, 0.6, 0], 0.6, 16, 1);
  sphere(builder, [0.2, 0.5, 0.7], 0.5, 16, 2);
  sphere(builder, [1.3, 0.7, -0.2], 0.7, 16, 3);
  sphere(builder, [0.3, 0.3, 1.6], 0.3, 10, 6);
  quad(builder, [-1, 3.2, -1], [2, 0, 0], [0, 0.2, 2], 4, 2.5);
  quad(builder, [-2.6, 0.4, -1.5], [0.5, 0, 0.3], [0, 1.2, 0], 5);
  const camera = lookAt([0.6, 1.7, 4.6], [0, 0.7, 0], 0.75);
  return stillScene(builder.finish(), materials, { textures, images, cameras: camera ? [camera] : [] });
}

/** Metal and glossy walls around a small light: long, sharp paths. */
export function mirrors(): MeshScene {
  const box = cornellBox();
  const materials = box.materials.map((each, index) => ({ ...each, metallic: index === 3 ? 0 : 0.9, roughness: [0.05, 0.2, 0.4, 1][index] ?? 1 }));
  return { ...box, materials };
}

/** A sky that is brighter above, with a warm spot. */
export const gradientSky = (width = 64): Equirect => {
  const height = width / 2;
  const pixels = new Float32Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const spot = Math.hypot(x - width * 0.3, y - height * 0.3) < width / 16 ? 12 : 0;
      const up = 1 - y / height;
      pixels.set([0.3 * up + spot, 0.4 * up + spot * 0.8, 0.7 * up + spot * 0.5], (y * width + x) * 3);
    }
  }
  return { width, height, pixels };
};

const bareLights: readonly PunctualLight[] = [
  { kind: 'point', color: [3, 2, 1], innerCone: 0, outerCone: 0, poses: [{ position: [1.5, 2, 2], direction: [0, -1, 0] }] },
  { kind: 'spot', color: [6, 9, 12], innerCone: 0.2, outerCone: 0.5, poses: [{ position: [-2, 3, 1], direction: [0.5, -0.8, -0.33166] }] },
  { kind: 'directional', color: [0.3, 0.3, 0.2], innerCone: 0, outerCone: 0, poses: [{ position: [0, 0, 0], direction: [0, -0.6, -0.8] }] },
];

/** Tangents along +u of the spheres above and of quads; enough for a normal map to bend by. */
function withTangents(triangles: Triangles): Triangles {
  const tangents = new Float32Array(triangles.count * 12);
  const colors = new Float32Array(triangles.count * 12).fill(1);
  for (let corner = 0; corner < triangles.count * 3; corner++) {
    const [x, z] = [triangles.normals[corner * 3]!, triangles.normals[corner * 3 + 2]!];
    const length = Math.hypot(x, z);
    tangents.set(length > 1e-3 ? [-z / length, 0, x / length, corner % 2 ? 1 : -1] : [1, 0, 0, 1], corner * 4);
    colors.set([1, 0.5 + 0.5 * Math.abs(x), 0.9, 1], corner * 4);
  }
  return { ...triangles, tangents, colors };
}

/** Placed so that x is stretched, or mirrored. */
const placed = (x: number, y: number, z: number, size: number, stretch: number): Matrix =>
  Float64Array.of(size * stretch, 0, 0, 0, 0, size, 0, 0, 0, 0, size, 0, x, y, z, 1);

/** Everything that a material or a placement can have, in one room. */
export function cabinet(): MeshScene {
  const images = [
    image(8, 8, (x, y) => [128 + 60 * Math.sin(x), 128 + 60 * Math.cos(y * 2), 230]),
    { ...image(8, 8, (x, y) => [200, 180 - x * 10, 60 + y * 20]), texels: alphaChecker(8) },
  ];
  const textures: Texture[] = [
    { image: 0, wrapS: 'repeat', wrapT: 'repeat', nearest: false, srgb: false },
    { image: 1, wrapS: 'repeat', wrapT: 'repeat', nearest: false, srgb: true },
  ];
  const normal: TextureSlot = { texture: 0, uvSet: 0, transform: [4, 0, 0.1, 0, 4, 0.2] };
  const cut: TextureSlot = { texture: 1, uvSet: 0, transform: [3, 1, 0, -1, 3, 0] };
  const materials = [
    material({ baseColor: [0.7, 0.7, 0.72], textures: { normal }, roughness: 0.5 }),
    material({ transmission: 1, solid: true, roughness: 0, ior: 1.45, attenuationColor: [0.4, 0.8, 0.9], attenuationDistance: 0.5 }),
    material({ transmission: 0.9, roughness: 0.4, baseColor: [0.9, 0.95, 0.9] }),
    material({ baseColor: [0.6, 0.05, 0.05], clearcoat: 1, clearcoatRoughness: 0.1, metallic: 0.3, roughness: 0.6, textures: { clearcoatNormal: normal } }),
    material({ textures: { base: cut }, alphaMode: 'mask', doubleSided: true }),
    material({ baseColor: [0.2, 0.3, 0.9], alpha: 0.4, alphaMode: 'blend', doubleSided: true, specular: 0.5, specularColor: [1, 0.6, 0.5] }),
    material({ emission: [6, 5, 4] }),
    material({ transmission: 1, solid: true, roughness: 0.3, ior: 1.6 }),
    material({ baseColor: [0, 0, 0], emission: [0.2, 0.7, 0.2], unlit: true }),
  ];
  const world = new TriangleBuilder(100);
  quad(world, [-3, 0, 3], [6, 0, 0], [0, 0, -6], 0, 3);
  quad(world, [-3, 0, -3], [6, 0, 0], [0, 4, 0], 0, 2);
  quad(world, [-2.2, 0.1, 0.6], [1, 0, 0.3], [0, 1.2, 0], 4, 1);
  quad(world, [1.2, 0.1, 1.2], [1, 0, -0.3], [0, 1, 0], 5, 1);
  quad(world, [-0.3, 0.05, 2], [0.5, 0, 0], [0, 0.3, 0], 8, 1);
  const ball = (of: number): Triangles => {
    const builder = new TriangleBuilder(600);
    sphere(builder, [0, 0, 0], 1, 10, of);
    return withTangents(builder.finish());
  };
  const meshes = [withTangents(world.finish()), ...[1, 2, 3, 6, 7].map(ball)];
  const at = (mesh: number, ...place: [number, number, number, number, number]) => ({ mesh, transforms: [placed(...place)] });
  const instances = [
    { mesh: 0, transforms: [identityMatrix()] },
    at(1, -1.1, 0.6, 0.9, 0.6, 1),
    at(2, 0.2, 0.5, 0.2, 0.5, 1.2),
    at(3, 1.3, 0.6, 0.2, 0.6, -0.9),
    at(3, -2, 0.5, -1, 0.5, 1),
    at(4, -0.5, 2.6, -0.5, 0.2, 1.5),
    at(4, 1.6, 2.2, -1, 0.15, -1),
    at(5, 0.5, 0.35, 1.4, 0.35, 1),
  ];
  const camera = lookAt([0.6, 1.7, 4.6], [0, 0.7, 0], 0.75);
  return { ...stillScene(meshes[0]!, materials), meshes, instances, textures, images, lights: bareLights, cameras: camera ? [camera] : [] };
}

function alphaChecker(edge: number): Uint8Array {
  const texels = new Uint8Array(edge * edge * 4);
  for (let at = 0; at < edge * edge; at++) texels.set([200, 180, 60, (at + Math.floor(at / edge)) % 2 ? 255 : 40], at * 4);
  return texels;
}

const sky: Beyond = { environment: packEnvironment(gradientSky(), 30), strength: 1, sun: null };
const sunny: Beyond = { environment: null, strength: 0, sun: { direction: [0.48, -0.8, -0.36], radiance: [60000, 55000, 50000], angularRadius: 0.0047 } };

export const testScenes: Readonly<Record<string, () => TestScene>> = {
  cornell: () => sceneJob(cornellBox()),
  studio: () => sceneJob(studio(), {}, { sky: [0.2, 0.25, 0.3] }),
  mirrors: () => sceneJob(mirrors(), { bounces: 10 }),
  dim: () => sceneJob(studio(), { bounces: 3 }, { sky: [0.001, 0.002, 0.001], quantumLog2: -6 }),
  cabinet: () => sceneJob(cabinet(), { bounces: 8 }, { sky: [1, 1, 1] }, sky),
  sunny: () => sceneJob(cabinet(), { bounces: 8 }, { sky: [0.2, 0.3, 0.5] }, sunny),
};
