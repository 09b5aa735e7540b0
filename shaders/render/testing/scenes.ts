import { imagePlane, lookAt } from '../camera.ts';
import { cornellBox } from '../cornell.ts';
import { type Image, type Material, type MeshScene, type Texture, TriangleBuilder, type Vec3, whiteMaterial } from '../mesh.ts';
import { packScene } from '../pack.ts';
import type { RenderJob, RenderParams, RenderPrepared } from '../spec.ts';

/** Small scenes made by rule, for tests and benchmarks in Node and in browsers. No part of the product. */

export interface TestScene {
  readonly job: RenderJob;
  readonly packed: Uint8Array<ArrayBuffer>;
}

/** A job over a scene. A test sets what it needs of parameters and prepared facts. */
export function sceneJob(mesh: MeshScene, params: Partial<RenderParams> = {}, prepared: Partial<RenderPrepared> = {}): TestScene {
  const { bytes, lights } = packScene(mesh);
  const full: RenderParams = { scene: 'file', width: 64, height: 64, samples: 16, bounces: 5, lighting: 'auto', ...params };
  const pose = mesh.camera ?? lookAt([0, 0, 3], [0, 0, 0], 1);
  if (!pose) throw new Error('a test scene has no camera');
  return {
    packed: bytes,
    job: {
      id: 'j_testtesttesttest' as RenderJob['id'],
      seed: 20,
      params: full,
      prepared: {
        triangles: mesh.triangles.count,
        lights,
        sky: [0, 0, 0],
        camera: imagePlane(pose, full.width / full.height),
        quantumLog2: 0,
        cost: { columns: 1, rows: 1, steps: [80] },
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
  const materials = [
    material({ baseTexture: 0, roughness: 0.6 }),
    material({ baseColor: [0.9, 0.7, 0.3], metallic: 1, roughness: 0.15 }),
    material({ baseColor: [0.95, 0.95, 0.95], metallic: 1, roughness: 0 }),
    material({ baseColor: [0.8, 0.3, 0.3], metallicRoughnessTexture: 1, metallic: 1, roughness: 1 }),
    material({ emission: [9, 8, 7], emissionTexture: 2 }),
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
  return { triangles: builder.finish(), materials, textures, images, camera: lookAt([0.6, 1.7, 4.6], [0, 0.7, 0], 0.75), report: [] };
}

/** Metal and glossy walls around a small light: long, sharp paths. */
export function mirrors(): MeshScene {
  const box = cornellBox();
  const materials = box.materials.map((each, index) => ({ ...each, metallic: index === 3 ? 0 : 0.9, roughness: [0.05, 0.2, 0.4, 1][index] ?? 1 }));
  return { ...box, materials };
}

export const testScenes: Readonly<Record<string, () => TestScene>> = {
  cornell: () => sceneJob(cornellBox()),
  studio: () => sceneJob(studio(), {}, { sky: [0.2, 0.25, 0.3] }),
  mirrors: () => sceneJob(mirrors(), { bounces: 10 }),
  dim: () => sceneJob(studio(), { bounces: 3 }, { sky: [0.001, 0.002, 0.001], quantumLog2: -6 }),
};
