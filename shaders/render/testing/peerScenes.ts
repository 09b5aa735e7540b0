import { type PeerMaterial, PeerMesh, type Triple } from './peerMesh.ts';

/**
 * The scenes on which render.bench.ts compares us with three-gpu-pathtracer, as plain data that every renderer is given its own way:
 * one for each kind of light and one of a million triangles.
 *
 * Materials are those of which all renderers have the same idea: Lambert (glTF with `specular` 0 and `ior` 1) and rough metals. What the
 * peer's models make of others differs by some per cent, which would pass for an error of one of them.
 */

export type PeerLight =
  /** A rectangle with corners `centre` +- `right` +- `up`, shining along cross(right, up). `radiance` in W/m2/sr. */
  | { readonly kind: 'area'; readonly centre: Triple; readonly right: Triple; readonly up: Triple; readonly radiance: Triple }
  /** Candela. */
  | { readonly kind: 'point'; readonly position: Triple; readonly intensity: Triple }
  /** Candela inside a cone of `angle` radians about `direction`, nothing outside. */
  | { readonly kind: 'spot'; readonly position: Triple; readonly direction: Triple; readonly angle: number; readonly intensity: Triple }
  /** Lux. `direction`: in which it shines. */
  | { readonly kind: 'directional'; readonly direction: Triple; readonly illuminance: Triple };

/** An equirectangular map: 4 bytes RGBE a pixel, rows from the top (+y), the column of direction (x, z) at atan2(z, x) / 2 pi + 1/2. */
export interface PeerEnvironment {
  readonly width: number;
  readonly height: number;
  readonly rgbe: Uint8Array<ArrayBuffer>;
}

export interface PeerScene {
  readonly name: string;
  readonly meshes: readonly PeerMesh[];
  readonly lights: readonly PeerLight[];
  readonly environment: PeerEnvironment | null;
  readonly camera: { readonly position: Triple; readonly target: Triple; readonly yfov: number };
}

/** Most surfaces a path may hit after the camera's first: `bounces` of our jobs. */
export const BOUNCES = 5;

export const peerSceneNames = ['area', 'environment', 'punctual', 'emissive', 'million'] as const;
export type PeerSceneName = (typeof peerSceneNames)[number];

/**
 * Lambert surfaces have no roughness, but the peer's WebGL draws half its directions from a lobe of this width all the same. 0.5 serves
 * it best: broader, and more of them point into the surface, which costs it the direct light too (the shadow ray then starts inside: a
 * quarter too dark and noisier at 1); narrower, and they find nothing.
 */
const LAMBERT_ROUGHNESS = 0.5;

const lambert = (...color: Triple): PeerMaterial => ({ color, metallic: 0, roughness: LAMBERT_ROUGHNESS, emission: [0, 0, 0] });
const metal = (roughness: number, ...color: Triple): PeerMaterial => ({ color, metallic: 1, roughness, emission: [0, 0, 0] });
const emitter = (...emission: Triple): PeerMaterial => ({ ...lambert(0, 0, 0), emission });

const WHITE = lambert(0.7, 0.7, 0.7);
const BLACK = lambert(0, 0, 0);
const GOLD = metal(0.35, 0.9, 0.75, 0.45);
const RINGS = 50;

/** A room of 2 m, open towards the camera. `floor`: with a flat one. */
function room(floor: boolean): PeerMesh[] {
  const grey = new PeerMesh(WHITE);
  if (floor) grey.quad([-1, 0, 1], [2, 0, 0], [0, 0, -2]);
  grey.quad([-1, 2, -1], [2, 0, 0], [0, 0, 2]);
  grey.quad([-1, 0, -1], [2, 0, 0], [0, 2, 0]);
  const left = new PeerMesh(lambert(0.65, 0.12, 0.1)).quad([-1, 0, 1], [0, 0, -2], [0, 2, 0]);
  const right = new PeerMesh(lambert(0.15, 0.5, 0.15)).quad([1, 0, -1], [0, 0, 2], [0, 2, 0]);
  return [grey, left, right];
}

const spheres = (): PeerMesh[] => [
  new PeerMesh(GOLD).sphere([-0.42, 0.42, -0.3], 0.4, RINGS),
  new PeerMesh(lambert(0.3, 0.4, 0.75)).sphere([0.45, 0.32, 0.2], 0.3, RINGS),
];

/** Far enough that the ceiling, and so the lamp under it, is out of sight: the peer shows no area light to its camera. */
const ROOM_CAMERA: PeerScene['camera'] = { position: [0, 0.95, 4.4], target: [0, 0.95, 0], yfov: 2 * Math.atan(0.19) };

/** Under the ceiling, facing down. */
const LAMP: PeerLight = { kind: 'area', centre: [0, 1.98, 0], right: [0.35, 0, 0], up: [0, 0, 0.35], radiance: [14, 12, 9] };
/** A millimetre behind the lamp: in the peer light passes through lamps, in ours it does not. */
const lampBack = (): PeerMesh => new PeerMesh(BLACK).quad([-0.35, 1.981, -0.35], [0.7, 0, 0], [0, 0, 0.7]);

function punctual(): PeerScene {
  const lights: PeerLight[] = [
    { kind: 'point', position: [0.5, 1.6, 0.1], intensity: [1.6, 1.5, 1.3] },
    { kind: 'spot', position: [-0.6, 1.8, 0.7], direction: [0.15, -1.35, -0.9], angle: 0.35, intensity: [5, 5, 6] },
    { kind: 'directional', direction: [-0.35, -0.45, -1], illuminance: [1.1, 1.1, 1.2] },
  ];
  return { name: 'punctual', meshes: [...room(true), ...spheres()], lights, environment: null, camera: ROOM_CAMERA };
}

function outdoors(): PeerScene {
  const meshes = [
    new PeerMesh(lambert(0.45, 0.42, 0.38)).quad([-12, 0, 12], [24, 0, 0], [0, 0, -24]),
    new PeerMesh(lambert(0.75, 0.2, 0.15)).sphere([-1.1, 0.5, 0.2], 0.5, RINGS),
    new PeerMesh(GOLD).sphere([0, 0.6, -0.5], 0.6, RINGS),
    new PeerMesh(metal(0.6, 0.8, 0.8, 0.82)).sphere([1.1, 0.45, 0.3], 0.45, RINGS),
  ];
  const camera = { position: [0, 1.1, 4.2], target: [0, 0.5, 0], yfov: 0.7 } as const;
  return { name: 'environment', meshes, lights: [], environment: sky(512, 256), camera };
}

function emissive(): PeerScene {
  const meshes = [
    ...room(true),
    ...spheres(),
    new PeerMesh(emitter(9, 7.5, 5)).sphere([0.45, 1.25, -0.35], 0.22, 12),
    new PeerMesh(emitter(2, 4, 8)).sphere([-0.55, 1.3, 0.25], 0.16, 12),
  ];
  return { name: 'emissive', meshes, lights: [], environment: null, camera: ROOM_CAMERA };
}

/** A million triangles to the last one, which is the most that a scene of ours may have: with walls, lamp and spheres, waves for a floor. */
function million(): PeerScene {
  const height = (x: number, z: number): number =>
    0.05 + 0.03 * Math.sin(x * 9 + z * 4) + 0.012 * Math.sin(x * 31 - z * 23) + 0.004 * Math.sin(x * 90 + z * 110);
  const waves = new PeerMesh(lambert(0.55, 0.6, 0.65)).field([-1, 1], [1, -1], [678, 723], height);
  return { name: 'million', meshes: [...room(false), waves, ...spheres(), lampBack()], lights: [LAMP], environment: null, camera: ROOM_CAMERA };
}

export function peerScene(name: PeerSceneName): PeerScene {
  switch (name) {
    case 'area':
      return { name, meshes: [...room(true), ...spheres(), lampBack()], lights: [LAMP], environment: null, camera: ROOM_CAMERA };
    case 'environment':
      return outdoors();
    case 'punctual':
      return punctual();
    case 'emissive':
      return emissive();
    case 'million':
      return million();
    default:
      return name satisfies never;
  }
}

/**
 * A blue sky over dark ground with a wide sun, some 12 degrees and 17 pixels across, so that filters do not matter. The peer's tables to
 * draw from have as many entries as the map has pixels, so it is not a small one.
 */
function sky(width: number, height: number): PeerEnvironment {
  const rgbe = new Uint8Array(width * height * 4);
  const sun: Triple = [0.45, 0.55, 0.704];
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const [theta, phi] = [(Math.PI * (row + 0.5)) / height, 2 * Math.PI * ((column + 0.5) / width - 0.5)];
      const [x, y, z] = [Math.sin(theta) * Math.cos(phi), Math.cos(theta), Math.sin(theta) * Math.sin(phi)];
      const glow = 28 * Math.exp(-(1 - (x * sun[0] + y * sun[1] + z * sun[2])) / 0.012);
      const up = 1 / (1 + Math.exp(-y * 12));
      const base: Triple = [0.12 + 0.25 * up, 0.1 + 0.42 * up, 0.08 + 0.75 * up];
      rgbe.set(toRgbe([base[0] + glow, base[1] + glow * 0.85, base[2] + glow * 0.6]), (row * width + column) * 4);
    }
  }
  return { width, height, rgbe };
}

/** Radiance's pixel: three mantissas of 8 bits and one exponent. */
function toRgbe(color: Triple): [number, number, number, number] {
  const exponent = Math.floor(Math.log2(Math.max(...color))) + 1;
  const scale = 2 ** (8 - exponent);
  return [Math.floor(color[0] * scale), Math.floor(color[1] * scale), Math.floor(color[2] * scale), exponent + 128];
}

/** What every renderer computes with: linear RGB, rows from the top, three values a pixel. */
export function environmentPixels({ rgbe }: PeerEnvironment): Float64Array<ArrayBuffer> {
  const pixels = new Float64Array((rgbe.length / 4) * 3);
  for (let i = 0; i * 4 < rgbe.length; i++) {
    const scale = 2 ** (rgbe[i * 4 + 3]! - 136);
    for (let c = 0; c < 3; c++) pixels[i * 3 + c] = rgbe[i * 4 + c]! * scale;
  }
  return pixels;
}
