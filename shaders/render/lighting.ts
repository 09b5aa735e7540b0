import { packEnvironment } from './environment.ts';
import { readHdr } from './hdr.ts';
import type { MeshScene, Vec3 } from './mesh.ts';
import { type Beyond, meanEmissions } from './packLights.ts';
import type { RenderSettings } from './params.ts';

/** What shines on a scene from beyond it, as `RenderParams.lighting` orders it. */

/** Of the real sun, radians. */
const SUN_RADIUS = (0.533 / 2) * (Math.PI / 180);

const BLACK: Vec3 = [0, 0, 0];

export interface Lighting {
  /** Radiance of the sky, or factor on the environment map. */
  readonly sky: Vec3;
  readonly beyond: Beyond;
  readonly report: readonly string[];
}

const radians = (degrees: number): number => (degrees * Math.PI) / 180;

function sunOf({ sunElevation, sunAzimuth, sunStrength }: RenderSettings): Beyond['sun'] {
  const [up, around] = [radians(sunElevation), radians(sunAzimuth)];
  const radiance = sunStrength / (Math.PI * Math.sin(SUN_RADIUS) ** 2);
  return {
    direction: [-Math.cos(up) * Math.sin(around), -Math.sin(up), Math.cos(up) * Math.cos(around)],
    radiance: [radiance, radiance, radiance],
    angularRadius: SUN_RADIUS,
  };
}

const hasLights = (scene: MeshScene): boolean =>
  scene.lights.some(({ color }) => Math.max(...color) > 0) ||
  (meanEmissions(scene).some((emission) => emission > 0) && scene.meshes.some(({ materials }) => hasEmitter(scene, materials)));

function hasEmitter(scene: MeshScene, materials: Uint32Array): boolean {
  const emissions = meanEmissions(scene);
  return materials.some((material) => emissions[material]! > 0);
}

/** Throws `InputError('environment')` for a map that cannot be read. */
export function lightingOf(scene: MeshScene, settings: RenderSettings, map: Uint8Array | undefined): Lighting {
  const { lighting, skyStrength, skyRotation } = settings;
  const own = hasLights(scene);
  const wanted = lighting === 'auto' ? map !== undefined || !own : lighting !== 'scene';
  const environment = wanted && map ? packEnvironment(readHdr(map), skyRotation) : null;
  const sun = lighting === 'sun' && settings.sunStrength > 0 ? sunOf(settings) : null;
  const brightness = environment ? skyStrength * environment.scale : skyStrength;
  const sky: Vec3 = wanted ? [brightness, brightness, brightness] : BLACK;
  const report: string[] = [];
  if (map && !environment) report.push('The environment map is not used: only the file’s own lights were ordered.');
  if (!own && !sun && (!wanted || brightness === 0)) report.push('Nothing in the scene emits light and there is no sky: the picture will be black.');
  return { sky, beyond: { environment, strength: skyStrength, sun }, report };
}
