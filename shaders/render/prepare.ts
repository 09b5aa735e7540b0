import type { JobId } from '../../shared/model.ts';
import { InputError, type WorkloadPrepare } from '../../shared/workload.ts';
import { type Box, cameraRays, fitCamera, viewCamera } from './camera.ts';
import { cornellBox } from './cornell.ts';
import { readGltf } from './gltf.ts';
import { CAMERA_ADDED } from './gltfPoses.ts';
import { lightingOf } from './lighting.ts';
import type { Camera, MeshScene } from './mesh.ts';
import { packScene } from './pack.ts';
import { type CameraRays, type RenderJob, type RenderParams, type RenderPrepared, type RenderSettings, settingsOf } from './params.ts';
import { focusOf, loadScene, type Scene } from './reference.ts';
import { COST_SEED, survey } from './survey.ts';

/** A sum of depths holds 2^14 of its units a sample; the farthest may lie at half of that. */
const DEPTH_UNITS_LOG2 = 13;

type Files = Readonly<Record<string, Uint8Array>>;

async function readScene(settings: RenderSettings, files: Files): Promise<MeshScene> {
  if (settings.scene === 'cornell') return cornellBox();
  if (!files.model) throw new InputError('model', 'A .glb file is needed for this scene.', 'one file, or the Cornell box as the scene');
  return readGltf(files.model, settings);
}

function cameraOf({ cameras }: MeshScene, { camera, width, height, view }: RenderSettings, box: Box): Camera {
  if (view) {
    const own = viewCamera(view);
    if (!own)
      throw new InputError('view', 'The camera stands where it looks at, or straight above or below it.', 'a position and a target that differ in x or z');
    return own;
  }
  const chosen = cameras[camera];
  if (chosen) return chosen;
  if (camera > 0) throw new InputError('camera', `The file has no camera ${camera}.`, cameras.length > 1 ? `0 to ${cameras.length - 1}` : '0');
  return fitCamera(box, width / height);
}

/** Rays of every pose, through a lens that is sharp where it was ordered or at what the middle of the picture shows. */
function raysOf(camera: Camera, settings: RenderSettings, focus: (frame: number) => number): CameraRays[] {
  const aspect = settings.width / settings.height;
  return camera.poses.map((pose, frame) =>
    cameraRays(camera, pose, aspect, { radius: settings.aperture / 2000, focus: settings.focusDistance || focus(frame) }),
  );
}

/** Units of depth: the farthest corner of the box from the camera has room. */
function depthUnit(box: Box, cameras: readonly CameraRays[]): number {
  const distances = cameras.map(({ origin }) =>
    Math.hypot(...[0, 1, 2].map((axis) => Math.max(Math.abs(origin[axis]! - box[axis]!), Math.abs(origin[axis]! - box[axis + 3]!)))),
  );
  return Math.ceil(Math.log2(Math.max(...distances, 1e-6))) - DEPTH_UNITS_LOG2;
}

function stillness(scene: MeshScene, { frames }: RenderSettings): string[] {
  const moves = [...scene.instances.map(({ transforms }) => transforms), ...scene.lights.map(({ poses }) => poses), ...scene.cameras.map(({ poses }) => poses)];
  return frames > 1 && moves.every(({ length }) => length === 1) ? ['Nothing in the file moves: all frames show the same.'] : [];
}

function draftJob(params: RenderParams, prepared: RenderPrepared): RenderJob {
  return { id: 'prepare' as JobId, seed: COST_SEED, params, prepared };
}

/** With its focus where the middle of the picture lies, unless it was ordered elsewhere or there is no lens. */
function focused(loaded: Scene, camera: Camera, settings: RenderSettings, job: RenderJob): CameraRays[] {
  if (settings.aperture === 0 || settings.focusDistance > 0) return [...job.prepared.cameras];
  return raysOf(camera, settings, (frame) => focusOf(loaded, job, frame));
}

/**
 * A .glb or built-in scene, and an environment map where there is one -> the input blob `scene` and the small facts about it. Equal arguments
 * give equal bytes; only `cpuStepsPerMs` is measured.
 */
export const prepare: WorkloadPrepare<RenderParams, RenderPrepared>['prepare'] = async (params, files) => {
  const settings = settingsOf(params);
  const scene = await readScene(settings, files);
  const lighting = lightingOf(scene, settings, files.environment);
  const { bytes, lights, box } = packScene(scene, lighting.beyond);
  const loaded = loadScene(bytes);
  const camera = cameraOf(scene, settings, box);
  const triangles = scene.meshes.reduce((sum, { count }) => sum + count, 0);
  const pinhole = raysOf(camera, settings, () => 1);
  const draft: RenderPrepared = {
    triangles,
    sky: [...lighting.sky],
    cameras: pinhole,
    quantumLog2: 0,
    depthLog2: depthUnit(box, pinhole),
    cost: { columns: 1, rows: 1, steps: [[1]] },
    cpuStepsPerMs: 1,
  };
  const prepared = { ...draft, cameras: focused(loaded, camera, settings, draftJob(params, draft)) };
  return {
    prepared: { ...prepared, ...survey(loaded, draftJob(params, prepared)) },
    inputs: { scene: bytes },
    report: [...scene.report.filter((sentence) => !settings.view || sentence !== CAMERA_ADDED), ...stillness(scene, settings), ...lighting.report],
    facts: { triangles, instances: scene.instances.length, lights, textures: scene.textures.length, materials: scene.materials.length },
  };
};
