import { cameraRays, lookAt } from '../camera.ts';
import { type Equirect, packEnvironment } from '../environment.ts';
import { type Material, type PunctualLight, stillScene, TriangleBuilder, type Triangles, type Vec3, whiteMaterial } from '../mesh.ts';
import { nothingBeyond } from '../pack.ts';
import type { Beyond } from '../packLights.ts';
import type { RenderParams } from '../params.ts';
import { quad, sceneJob, type TestScene } from './scenes.ts';

/**
 * Scenes whose picture is one known radiance everywhere: a camera of a hundredth of a degree looks at one point. Physics or arithmetic says
 * what must come out, not another renderer.
 */

export interface Analytic {
  readonly name: string;
  readonly scene: TestScene;
  /** Radiance of every pixel. */
  readonly expected: Vec3;
  /** What may be missing or too much beside noise, relatively: what tables, maps and truncated paths leave out. */
  readonly allowed: number;
}

const EDGE = 16;
const NARROW = 2e-4;
/** Lambert's law and nothing else. */
export const matte: Material = { ...whiteMaterial, specular: 0 };
const grey = (value: number): Vec3 => [value, value, value];
const white = grey(1);

interface Setting {
  readonly from?: Vec3;
  readonly to?: Vec3;
  readonly params?: Partial<RenderParams>;
  readonly sky?: Vec3;
  readonly beyond?: Beyond;
  readonly lights?: readonly PunctualLight[];
  readonly quantumLog2?: number;
}

function picture(triangles: Triangles, materials: readonly Material[], setting: Setting): TestScene {
  const { from = [0, 3, 0.01], to = [0, 0, 0], params, sky = grey(0), beyond = nothingBeyond, lights = [], quantumLog2 = 0 } = setting;
  const camera = lookAt(from, to, NARROW);
  if (!camera) throw new Error('a test scene has no camera');
  const cameras = camera.poses.map((pose) => cameraRays(camera, pose, 1, { radius: 0, focus: 1 }));
  const scene = stillScene(triangles, materials, { lights });
  return sceneJob(scene, { width: EDGE, height: EDGE, samples: 64, bounces: 5, layers: 'none', ...params }, { cameras, sky, quantumLog2 }, beyond);
}

/** The plane y = 0, four metres wide, seen from above. */
function floor(): Triangles {
  const builder = new TriangleBuilder(2);
  quad(builder, [-2, 0, 2], [4, 0, 0], [0, 0, -4], 0);
  return builder.finish();
}

/** Seen at this angle to the normal. */
const viewAt = (degrees: number): Pick<Setting, 'from'> => {
  const angle = (degrees * Math.PI) / 180;
  return { from: [0, 3 * Math.cos(angle), 3 * Math.sin(angle) + 1e-4] };
};

function furnace(name: string, material: Partial<Material>, degrees: number): Analytic {
  const scene = picture(floor(), [{ ...whiteMaterial, doubleSided: true, ...material }], { ...viewAt(degrees), sky: white });
  return { name: `furnace: ${name} at ${degrees} degrees`, scene, expected: white, allowed: 0.01 };
}

/** In a sky of radiance 1 whatever absorbs nothing is invisible. */
function furnaces(): Analytic[] {
  const lobes: readonly (readonly [string, Partial<Material>])[] = [
    ['matte', { specular: 0 }],
    ['enamel, smooth', { roughness: 0.05 }],
    ['enamel, rough', { roughness: 0.6 }],
    ['enamel, strong and tinted', { roughness: 0.3, ior: 2, specularColor: [1, 0.8, 0.6] }],
    ['metal, mirror', { metallic: 1, roughness: 0 }],
    ['metal, brushed', { metallic: 1, roughness: 0.4 }],
    ['metal, rough', { metallic: 1, roughness: 1 }],
    ['half metal', { metallic: 0.5, roughness: 0.5 }],
    ['lacquer over metal', { metallic: 1, roughness: 0.5, clearcoat: 1, clearcoatRoughness: 0.1 }],
    ['lacquer over matte', { clearcoat: 0.7, clearcoatRoughness: 0.5 }],
    ['thin glass, clear', { transmission: 1, roughness: 0 }],
    ['thin glass, frosted', { transmission: 1, roughness: 0.6 }],
    ['thin glass, half', { transmission: 0.5, roughness: 0.3 }],
    ['boundary of a solid, clear', { transmission: 1, solid: true, roughness: 0 }],
    ['boundary of a solid, frosted', { transmission: 1, solid: true, roughness: 0.5 }],
    ['boundary of a dense solid, rough', { transmission: 1, solid: true, roughness: 0.9, ior: 2 }],
  ];
  return lobes.flatMap(([name, material]) => [5, 60, 80].map((degrees) => furnace(name, material, degrees)));
}

/** Reflected light of a plate under a square light of side `a` that faces it from height `h`: form factor of a point and a rectangle above it. */
function areaLight(): Analytic {
  const [side, height, radiance] = [1.4, 1.1, 7];
  const builder = new TriangleBuilder(4);
  quad(builder, [-2, 0, 2], [4, 0, 0], [0, 0, -4], 0);
  quad(builder, [-side / 2, height, -side / 2], [side, 0, 0], [0, 0, side], 1);
  const x = side / 2 / height;
  const root = Math.sqrt(1 + x * x);
  const factor = (4 / (2 * Math.PI)) * 2 * (x / root) * Math.atan(x / root);
  const scene = picture(
    builder.finish(),
    [
      { ...matte, baseColor: grey(0.8) },
      { ...matte, baseColor: grey(0), emission: grey(radiance) },
    ],
    {
      from: [0, 0.5, 1.9],
      params: { bounces: 0 },
    },
  );
  return { name: 'square light over a plate', scene, expected: grey(0.8 * radiance * factor), allowed: 2e-4 };
}

/** Six glowing walls of reflectance 1/2: E / (1 - rho). */
function glowingBox(): Analytic {
  const builder = new TriangleBuilder(12);
  const faces: readonly (readonly [Vec3, Vec3, Vec3])[] = [
    [
      [-1, -1, 1],
      [2, 0, 0],
      [0, 0, -2],
    ],
    [
      [-1, 1, -1],
      [2, 0, 0],
      [0, 0, 2],
    ],
    [
      [-1, -1, -1],
      [2, 0, 0],
      [0, 2, 0],
    ],
    [
      [1, -1, 1],
      [-2, 0, 0],
      [0, 2, 0],
    ],
    [
      [-1, -1, 1],
      [0, 0, -2],
      [0, 2, 0],
    ],
    [
      [1, -1, -1],
      [0, 0, 2],
      [0, 2, 0],
    ],
  ];
  for (const [corner, right, up] of faces) quad(builder, corner, right, up, 0);
  const scene = picture(builder.finish(), [{ ...matte, baseColor: [0.5, 0.25, 0.75], emission: white }], {
    from: [0.3, 0.2, 0],
    to: [0.2, -1, 0.3],
    params: { bounces: 32 },
  });
  return { name: 'glowing box', scene, expected: [2, 4 / 3, 4], allowed: 3e-4 };
}

/** Radiance 1 + y: an upward plate of reflectance 1 shows 1 + 2/3. */
const leaning = (): Equirect => {
  const [width, height] = [1024, 512];
  const pixels = new Float32Array(width * height * 3);
  for (let y = 0; y < height; y++) pixels.fill(1 + Math.cos(((y + 0.5) / height) * Math.PI), y * width * 3, (y + 1) * width * 3);
  return { width, height, pixels };
};

function environments(): Analytic[] {
  const map: Beyond = { environment: packEnvironment(leaning(), 0), strength: 1, sun: null };
  const spot = leaning();
  spot.pixels.fill(0);
  // One pixel of radiance 500 at 30 degrees from the zenith.
  const row = Math.floor((30 / 180) * spot.height);
  spot.pixels.fill(500, row * spot.width * 3, row * spot.width * 3 + 3);
  const theta = ((row + 0.5) / spot.height) * Math.PI;
  const solidAngle = ((2 * Math.PI) / spot.width) * (Math.PI / spot.height) * Math.sin(theta);
  const small: Beyond = { environment: packEnvironment(spot, 77), strength: 1, sun: null };
  return [
    { name: 'environment map', scene: picture(floor(), [matte], { sky: white, beyond: map }), expected: grey(5 / 3), allowed: 2e-3 },
    {
      name: 'environment map on a rough metal',
      scene: picture(floor(), [{ ...matte, metallic: 1 }], { sky: grey(1), beyond: { ...map } }),
      expected: grey(roughMetalUnder()),
      allowed: 0.01,
    },
    {
      name: 'one bright pixel of an environment map',
      scene: picture(floor(), [matte], { sky: white, beyond: small, quantumLog2: -7 }),
      expected: grey((500 * solidAngle * Math.cos(theta)) / Math.PI),
      allowed: 0.03,
    },
  ];
}

/** A lobe that absorbs nothing, about the zenith: the mean of 1 + y under it, integrated over its half vectors. */
function roughMetalUnder(): number {
  const steps = 4000;
  let [sum, weights] = [0, 0];
  for (let i = 0; i < steps; i++) {
    // GGX of width 1 has the density cos / pi of a half vector's angle; seen from the zenith the light lies at twice it.
    const cosine2 = 1 - (i + 0.5) / steps;
    const y = 2 * cosine2 - 1;
    if (y <= 0) continue;
    const lambda = (Math.sqrt(1 + (1 / (y * y) - 1)) - 1) / 2;
    sum += (1 + y) / (1 + lambda);
    weights += 1 / (1 + lambda);
  }
  return sum / weights;
}

function bareLights(): Analytic[] {
  const at = (light: Partial<PunctualLight>): PunctualLight => ({
    kind: 'point',
    color: [5, 3, 2],
    innerCone: 0,
    outerCone: 0,
    poses: [{ position: [0.6, 1.2, -0.4], direction: [-0.6 / 1.4, -1.2 / 1.4, 0.4 / 1.4] }],
    ...light,
  });
  // At 1.4 metres, and the cosine to the plate is 1.2 / 1.4.
  const received = 1.2 / 1.4 / (1.4 * 1.4) / Math.PI;
  const scene = (light: PunctualLight): TestScene => picture(floor(), [matte], { lights: [light], params: { bounces: 0 }, quantumLog2: -3 });
  const sun: Beyond = {
    environment: null,
    strength: 0,
    sun: { direction: [0.6, -0.8, 0], radiance: grey(3 / (Math.PI * Math.sin(0.005) ** 2)), angularRadius: 0.005 },
  };
  return [
    { name: 'candela', scene: scene(at({})), expected: [5 * received, 3 * received, 2 * received], allowed: 5e-4 },
    {
      name: 'spot, in its cone',
      scene: scene(at({ kind: 'spot', innerCone: 0.3, outerCone: 0.6 })),
      expected: [5 * received, 3 * received, 2 * received],
      allowed: 5e-4,
    },
    {
      name: 'lux',
      scene: scene(at({ kind: 'directional', color: [4, 2, 1], poses: [{ position: [9, 9, 9], direction: [0, -0.6, -0.8] }] })),
      expected: [(4 * 0.6) / Math.PI, (2 * 0.6) / Math.PI, 0.6 / Math.PI],
      allowed: 5e-4,
    },
    {
      name: 'sun of irradiance 3',
      scene: picture(floor(), [matte], { beyond: sun, params: { bounces: 0 } }),
      expected: grey((3 * 0.8) / Math.PI),
      allowed: 2e-3,
    },
  ];
}

/** Both faces of a slab reflect 4 % and what lies between absorbs: the sum of a geometric series, seen against a sky of 1. */
function slab(): Analytic {
  const builder = new TriangleBuilder(4);
  quad(builder, [-2, 0.25, 2], [4, 0, 0], [0, 0, -4], 0);
  quad(builder, [-2, -0.25, -2], [4, 0, 0], [0, 0, 4], 0);
  const f = 0.04;
  const through = (share: number): number => {
    const a = Math.sqrt(share);
    return f + ((1 - f) ** 2 * a * (1 + f * a)) / (1 - (f * a) ** 2);
  };
  const material: Material = { ...whiteMaterial, transmission: 1, solid: true, roughness: 0, attenuationColor: [0.3, 0.6, 0.9], attenuationDistance: 1 };
  const scene = picture(builder.finish(), [material], { sky: white, params: { bounces: 20 } });
  return { name: 'absorbing slab', scene, expected: [through(0.3), through(0.6), through(0.9)], allowed: 2e-3 };
}

/** There with a probability of 0.3, seen before a sky of 0.5. */
function veil(): Analytic {
  const material: Material = { ...matte, baseColor: grey(0), emission: [2, 1, 0], alpha: 0.3, alphaMode: 'blend' };
  return { name: 'veil', scene: picture(floor(), [material], { sky: grey(0.5) }), expected: [0.3 * 2 + 0.35, 0.3 + 0.35, 0.35], allowed: 2e-4 };
}

export const analyticScenes = (): Analytic[] => [...furnaces(), areaLight(), glowingBox(), ...environments(), ...bareLights(), slab(), veil()];
