import {
  type BufferGeometry,
  ClampToEdgeWrapping,
  Color,
  DataTexture,
  DirectionalLight,
  DoubleSide,
  EquirectangularReflectionMapping,
  Group,
  HalfFloatType,
  type Light,
  LinearFilter,
  LinearSRGBColorSpace,
  Mesh,
  type MeshStandardMaterial,
  PointLight,
  RepeatWrapping,
  type Scene,
  SpotLight,
  SRGBColorSpace,
  Vector3,
  WebGLCubeRenderTarget,
  type WebGLRenderer,
} from 'three';
import type { Box } from '../camera.ts';
import { type RenderParams, settingsOf } from '../params.ts';
import { toneMapOf } from '../toneMap.ts';
import type { PreviewEnvironment } from './environment.ts';
import type { Stage } from './stage.ts';

/**
 * Light as the path tracer has it, as far as a rasteriser goes: sky, environment map and sun are the same; the files' own lights cast no
 * shadows; surfaces that shine are stood for by a lamp each, and what walls throw back by an even glow.
 */

/** Lights and lamps that a shader holds everywhere; the brightest ones are kept. */
const LIGHTS_MAX = 16;
const LAMPS_MAX = 8;
/** Triangles of one shining mesh that are measured. */
const MEASURED_MAX = 100_000;
/** How flat a shining mesh must be to shine to one side: its mean normal, weighted by area. */
const FLAT = 0.9;
/** Of a lamp that stands for a flat surface. */
const LAMP_ANGLE = (85 * Math.PI) / 180;
/** Radians from our panoramas, whose middle is north (-z), to three.js', whose middle is east (+x). */
const QUARTER = Math.PI / 2;

export interface Lamps {
  readonly group: Group;
  /** Radiance of the even glow. */
  readonly glow: number;
  /** Whether anything in the scene shines by itself, as the path tracer counts it. */
  readonly shines: boolean;
}

const brightness = ({ color, intensity }: Light): number => Math.max(color.r, color.g, color.b) * intensity;

function panorama({ halves, width, height }: PreviewEnvironment): DataTexture {
  const texture = new DataTexture(halves, width, height);
  texture.type = HalfFloatType;
  texture.colorSpace = LinearSRGBColorSpace;
  texture.mapping = EquirectangularReflectionMapping;
  texture.minFilter = LinearFilter;
  texture.magFilter = LinearFilter;
  texture.wrapS = RepeatWrapping;
  texture.wrapT = ClampToEdgeWrapping;
  texture.flipY = true;
  texture.needsUpdate = true;
  return texture;
}

/** What stands for everything in the stage that shines; its own lights are cut down to what a shader holds. */
export function lampsOf(stage: Stage, box: Box): Lamps {
  const group = new Group();
  const strongest = stage.lights.filter((light) => brightness(light) > 0).toSorted((a, b) => brightness(b) - brightness(a));
  for (const [index, light] of strongest.entries()) light.visible = index < LIGHTS_MAX;
  const glowing = shiningMeshes(stage);
  const lamps = glowing.map(lampOf).toSorted((a, b) => b.flux - a.flux);
  for (const { light } of lamps.slice(0, LAMPS_MAX)) group.add(light, ...(light instanceof SpotLight ? [light.target] : []));
  const sides = [box[3] - box[0], box[4] - box[1], box[5] - box[2]] as const;
  const walls = 2 * (sides[0] * sides[1] + sides[1] * sides[2] + sides[2] * sides[0]);
  const flux = lamps.reduce((sum, lamp) => sum + lamp.flux, 0) + strongest.reduce((sum, light) => sum + fluxOf(light), 0);
  group.updateMatrixWorld(true);
  // Of grey walls half comes back, half of that again: as much as shone at first.
  return { group, glow: walls > 0 ? flux / walls / Math.PI : 0, shines: strongest.length > 0 || glowing.length > 0 };
}

function fluxOf(light: Light): number {
  if (light instanceof SpotLight) return brightness(light) * 2 * Math.PI * (1 - Math.cos(light.angle));
  return light instanceof PointLight ? brightness(light) * 4 * Math.PI : 0;
}

type Shining = Mesh<BufferGeometry, MeshStandardMaterial>;

function shiningMeshes({ root }: Stage): Shining[] {
  const found: Shining[] = [];
  root.traverse((object) => {
    if (!(object instanceof Mesh)) return;
    const { emissive, emissiveIntensity } = object.material as Partial<MeshStandardMaterial>;
    if (emissive && Math.max(emissive.r, emissive.g, emissive.b) * (emissiveIntensity ?? 1) > 0) found.push(object as Shining);
  });
  return found;
}

/** Intensity and place of a lamp in the middle of a shining mesh, and its flux in lumen. */
function lampOf(mesh: Shining): { light: PointLight | SpotLight; flux: number } {
  const { area, centre, normal } = measure(mesh);
  const { emissive, emissiveIntensity, side } = mesh.material;
  const radiance = Math.max(emissive.r, emissive.g, emissive.b) * emissiveIntensity;
  const colour = emissive.clone().multiplyScalar(emissiveIntensity / radiance);
  const flux = Math.PI * radiance * area * (side === DoubleSide ? 2 : 1);
  const isFlat = normal.length() > FLAT && side !== DoubleSide;
  const light = isFlat ? new SpotLight(colour, radiance * area, 0, LAMP_ANGLE, 1) : new PointLight(colour, flux / (4 * Math.PI));
  light.position.copy(centre).addScaledVector(normal, Math.sqrt(area) / 10);
  if (light instanceof SpotLight) light.target.position.copy(light.position).add(normal);
  return { light, flux };
}

/** Area in the world, its middle, and the mean normal weighted by area: 1 long where it is flat. */
function measure({ geometry, matrixWorld }: Shining): { area: number; centre: Vector3; normal: Vector3 } {
  const positions = geometry.getAttribute('position');
  const { index } = geometry;
  const triangles = Math.floor((index?.count ?? positions.count) / 3);
  const step = Math.max(1, Math.ceil(triangles / MEASURED_MAX));
  const [centre, normal] = [new Vector3(), new Vector3()];
  const corners = [new Vector3(), new Vector3(), new Vector3()] as const;
  let area = 0;
  for (let triangle = 0; triangle < triangles; triangle += step) {
    for (const [corner, at] of corners.entries()) {
      const place = triangle * 3 + corner;
      at.fromBufferAttribute(positions, index ? index.getX(place) : place).applyMatrix4(matrixWorld);
    }
    const [a, b, c] = corners;
    const middle = new Vector3().add(a).add(b).add(c).divideScalar(3);
    const across = b.sub(a).cross(c.sub(a)).divideScalar(2);
    const size = across.length();
    area += size;
    normal.add(across);
    centre.addScaledVector(middle, size);
  }
  if (area > 0) {
    centre.divideScalar(area);
    normal.divideScalar(area);
  }
  return { area: area * step, centre, normal };
}

/** A sky of radiance 1 in every direction, as what three.js filters an environment to: what is even needs no filtering. */
function drawWhiteSky(renderer: WebGLRenderer, target: WebGLCubeRenderTarget): void {
  renderer.setClearColor(0xffffff, 1);
  for (let face = 0; face < 6; face++) {
    renderer.setRenderTarget(target, face);
    renderer.clear();
  }
  renderer.setRenderTarget(null);
}

/** What shines on a scene from beyond it, as `lighting.ts` has it for the path tracer. */
export class Sky {
  readonly #renderer: WebGLRenderer;
  readonly #sun = new DirectionalLight();
  readonly #white = new WebGLCubeRenderTarget(1, { colorSpace: LinearSRGBColorSpace, depthBuffer: false, minFilter: LinearFilter });
  readonly #map: DataTexture | null;

  constructor(renderer: WebGLRenderer, map: PreviewEnvironment | null) {
    this.#renderer = renderer;
    this.#map = map && panorama(map);
    const { texture } = this.#white;
    texture.isPMREMTexture = true;
    texture.mipmaps.push({ width: 1, height: 1 } as never);
    this.draw();
  }

  /** Again, when the GPU has lost what was drawn. */
  draw(): void {
    drawWhiteSky(this.#renderer, this.#white);
  }

  set(scene: Scene, { shines, glow }: Omit<Lamps, 'group'>, params: RenderParams): void {
    const { lighting, skyStrength, skyRotation, sunElevation, sunAzimuth, sunStrength } = settingsOf(params);
    const isWanted = lighting === 'auto' ? this.#map !== null || !shines : lighting !== 'scene';
    scene.environment = isWanted && this.#map ? this.#map : this.#white.texture;
    scene.environmentIntensity = isWanted ? skyStrength : glow;
    scene.background = this.#map && isWanted ? this.#map : colour(isWanted ? skyStrength : 0, params);
    scene.backgroundIntensity = this.#map && isWanted ? skyStrength : 1;
    const turn = QUARTER + (skyRotation * Math.PI) / 180;
    scene.environmentRotation.set(0, turn, 0);
    scene.backgroundRotation.set(0, turn, 0);
    const [up, around] = [(sunElevation * Math.PI) / 180, (sunAzimuth * Math.PI) / 180];
    this.#sun.visible = lighting === 'sun' && sunStrength > 0;
    this.#sun.intensity = sunStrength;
    // A directional light shines from its position to its target, the origin.
    this.#sun.position.set(Math.cos(up) * Math.sin(around), Math.sin(up), -Math.cos(up) * Math.cos(around));
    scene.add(this.#sun);
  }

  dispose(): void {
    this.#white.dispose();
    this.#map?.dispose();
  }
}

/** Grey of this radiance as pictures show it: three.js maps no tones of a plain background. */
function colour(radiance: number, params: RenderParams): Color {
  const rgb = Float64Array.of(radiance, radiance, radiance);
  toneMapOf(params)(rgb);
  return new Color().setRGB(rgb[0]!, rgb[1]!, rgb[2]!, SRGBColorSpace);
}
