import { Matrix4, OrthographicCamera, PerspectiveCamera, type Camera as ThreeCamera, Vector3 } from 'three';
import type { PreviewRect } from '../../../shared/preview.ts';
import { type Box, fitCamera, viewCamera } from '../camera.ts';
import type { Camera, CameraPose, Vec3 } from '../mesh.ts';
import { type RenderParams, settingsOf } from '../params.ts';
import type { Stage } from './stage.ts';

/** The camera that an order has, as three.js' own. */

export interface Lens {
  readonly camera: Camera;
  /** Of the scene. */
  readonly centre: Vec3;
  readonly radius: number;
}

const boxes = new WeakMap<Stage, { readonly key: string; readonly box: Box }>();

/** Around all frames that are ordered, as the renderer fits a camera to. */
function boxOf(stage: Stage, params: RenderParams): Box {
  const { frames, firstFrame, framesPerSecond } = settingsOf(params);
  const key = stage.seconds > 0 ? `${frames} ${firstFrame} ${framesPerSecond}` : '';
  const known = boxes.get(stage);
  if (known?.key === key) return known.box;
  const box = stage.box(Array.from({ length: frames }, (_, frame) => (firstFrame + frame) / framesPerSecond));
  boxes.set(stage, { key, box });
  return box;
}

/** The camera at the frame that the stage shows: the visitor's own, one of the file's, or one that sees everything. */
export function lensOf(stage: Stage, params: RenderParams): Lens {
  const { view, camera, width, height } = settingsOf(params);
  const box = boxOf(stage, params);
  const centre: Vec3 = [(box[0] + box[3]) / 2, (box[1] + box[4]) / 2, (box[2] + box[5]) / 2];
  const radius = Math.max(Math.hypot(box[3] - box[0], box[4] - box[1], box[5] - box[2]) / 2, 1e-6);
  const own = view ? viewCamera(view) : null;
  const cameras = own ? [] : stage.cameras();
  return { camera: own ?? cameras[Math.min(camera, cameras.length - 1)] ?? fitCamera(box, width / height), centre, radius };
}

/** The nearest that is drawn, in radii of the scene. */
const NEAR = 1e-4;

function placed<Made extends ThreeCamera>(made: Made, { position, forward, up }: CameraPose): Made {
  const [back, above] = [new Vector3(...forward).negate(), new Vector3(...up)];
  made.matrixAutoUpdate = false;
  made.matrix.copy(new Matrix4().makeBasis(new Vector3().crossVectors(above, back), above, back).setPosition(...position));
  made.updateMatrixWorld(true);
  return made;
}

/** Shows in `crop` what the ordered picture has, and around it what lies beside that, in a canvas of this size. */
export function setCamera({ camera: { projection, poses }, centre, radius }: Lens, crop: PreviewRect, width: number, height: number): ThreeCamera {
  const pose = poses[0]!;
  const far = Math.hypot(pose.position[0] - centre[0], pose.position[1] - centre[1], pose.position[2] - centre[2]) + 2 * radius;
  const around = height / crop.height;
  if (projection.kind === 'perspective') {
    const fov = (2 * Math.atan(Math.tan(projection.yfov / 2) * around) * 180) / Math.PI;
    return placed(new PerspectiveCamera(fov, width / height, radius * NEAR, far), pose);
  }
  const half = (projection.height / 2) * around;
  return placed(new OrthographicCamera((-half * width) / height, (half * width) / height, half, -half, 0, far), pose);
}
