import {
  BufferAttribute,
  BufferGeometry,
  ClampToEdgeWrapping,
  Color,
  DataTexture,
  DataUtils,
  DirectionalLight,
  DoubleSide,
  EquirectangularReflectionMapping,
  HalfFloatType,
  type Light,
  LinearFilter,
  Mesh,
  MeshPhysicalMaterial,
  PerspectiveCamera,
  PointLight,
  RectAreaLight,
  RepeatWrapping,
  RGBAFormat,
  Scene,
  SpotLight,
} from 'three';
import type { PeerMaterial, Triple } from './peerMesh.ts';
import { BOUNCES, environmentPixels, type PeerEnvironment, type PeerLight, type PeerScene } from './peerScenes.ts';

/** A comparison scene as three.js has it, given to the peer as its makers would: lamps as RectAreaLight, geometry indexed. */

export interface ThreeScene {
  readonly scene: Scene;
  readonly camera: PerspectiveCamera;
  dispose(): void;
}

/**
 * The peer counts surfaces, so ours + 1. Emissive surfaces it finds by hitting them alone, so that they need one more for as many
 * reflections of their light.
 */
export const peerBounces = ({ meshes }: PeerScene): number => BOUNCES + 1 + (meshes.some(({ material }) => Math.max(...material.emission) > 0) ? 1 : 0);

function materialOf({ color, metallic, roughness, emission }: PeerMaterial): MeshPhysicalMaterial {
  // Both sides: the peer's WebGL then needs no test of sides, and no scene shows backs.
  const lambert = metallic === 1 ? {} : { ior: 1, specularIntensity: 0 };
  const material = new MeshPhysicalMaterial({ metalness: metallic, roughness, side: DoubleSide, ...lambert });
  material.color.setRGB(...color);
  material.emissive.setRGB(...emission);
  return material;
}

function split(value: Triple): { color: Color; intensity: number } {
  const intensity = Math.max(...value);
  return { color: new Color().setRGB(value[0] / intensity, value[1] / intensity, value[2] / intensity), intensity };
}

function lightOf(light: PeerLight): Light {
  switch (light.kind) {
    case 'area': {
      const { color, intensity } = split(light.radiance);
      const { centre: c, right: r, up: u } = light;
      const lamp = new RectAreaLight(0xffffff, intensity, 2 * Math.hypot(...r), 2 * Math.hypot(...u));
      lamp.color = color;
      lamp.position.set(...c);
      lamp.lookAt(c[0] + r[1] * u[2] - r[2] * u[1], c[1] + r[2] * u[0] - r[0] * u[2], c[2] + r[0] * u[1] - r[1] * u[0]);
      return lamp;
    }
    case 'point': {
      const { color, intensity } = split(light.intensity);
      const point = new PointLight(0xffffff, intensity, 0, 2);
      point.color = color;
      point.position.set(...light.position);
      return point;
    }
    case 'spot': {
      const { color, intensity } = split(light.intensity);
      const spot = new SpotLight(0xffffff, intensity, 0, light.angle, 0.001, 2);
      spot.color = color;
      return aimed(spot, light.position, light.direction);
    }
    case 'directional': {
      const { color, intensity } = split(light.illuminance);
      const sun = new DirectionalLight(0xffffff, intensity);
      sun.color = color;
      return aimed(sun, [0, 0, 0], light.direction);
    }
    default:
      return light satisfies never;
  }
}

/** The target travels with the light, as a child, so that its matrix is updated. */
function aimed<L extends SpotLight | DirectionalLight>(light: L, position: Triple, direction: Triple): L {
  light.position.set(...position);
  light.target.position.set(...direction);
  light.add(light.target);
  return light;
}

function textureOf(environment: PeerEnvironment): DataTexture {
  const { width, height } = environment;
  const pixels = environmentPixels(environment);
  // Eight bits of mantissa are exact in half floats. Rows from the bottom, as WebGL's textures go.
  const data = new Uint16Array(width * height * 4);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const [from, to] = [(row * width + column) * 3, ((height - 1 - row) * width + column) * 4];
      for (let k = 0; k < 3; k++) data[to + k] = DataUtils.toHalfFloat(pixels[from + k]!);
      data[to + 3] = DataUtils.toHalfFloat(1);
    }
  }
  const texture = new DataTexture(data, width, height, RGBAFormat, HalfFloatType);
  texture.minFilter = LinearFilter;
  texture.magFilter = LinearFilter;
  texture.wrapS = RepeatWrapping;
  texture.wrapT = ClampToEdgeWrapping;
  texture.generateMipmaps = false;
  texture.mapping = EquirectangularReflectionMapping;
  texture.needsUpdate = true;
  return texture;
}

export function threeScene(described: PeerScene): ThreeScene {
  const scene = new Scene();
  const disposable: { dispose(): void }[] = [];
  for (const { positions, normals, indices, material } of described.meshes) {
    const geometry = new BufferGeometry();
    geometry.setAttribute('position', new BufferAttribute(positions, 3));
    geometry.setAttribute('normal', new BufferAttribute(normals, 3));
    geometry.setIndex(new BufferAttribute(indices, 1));
    const mesh = new Mesh(geometry, materialOf(material));
    scene.add(mesh);
    disposable.push(geometry);
  }
  for (const light of described.lights) scene.add(lightOf(light));
  if (described.environment) {
    const texture = textureOf(described.environment);
    scene.environment = texture;
    scene.background = texture;
    disposable.push(texture);
  } else {
    // An opaque background: without one the peer's WebGL adds its samples up in a slower way.
    scene.background = new Color(0);
  }
  const { position, target, yfov } = described.camera;
  const camera = new PerspectiveCamera((yfov * 180) / Math.PI, 1, 0.01, 100);
  camera.position.set(...position);
  camera.lookAt(...target);
  return { scene, camera, dispose: () => disposable.forEach((each) => void each.dispose()) };
}
