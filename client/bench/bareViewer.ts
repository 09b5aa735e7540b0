import { Box3, HemisphereLight, type Object3D, PerspectiveCamera, Scene, Vector3, WebGLRenderer } from 'three';
import { MeshoptDecoder } from 'three/examples/jsm/libs/meshopt_decoder.module.js';
import { GLTFLoader } from 'three/examples/jsm/loaders/GLTFLoader.js';

/** The peer of the preview: three.js as its own manual has it, and nothing beside the file. Bundled by `dropping.ts`. */
export async function show(canvas: HTMLCanvasElement, file: File): Promise<void> {
  const renderer = new WebGLRenderer({ canvas, antialias: true });
  const { scene: model, cameras } = await new GLTFLoader().setMeshoptDecoder(MeshoptDecoder).parseAsync(await file.arrayBuffer(), '');
  const scene = new Scene().add(model, new HemisphereLight());
  const camera = cameras[0] instanceof PerspectiveCamera ? cameras[0] : around(model);
  camera.aspect = canvas.width / canvas.height;
  camera.updateProjectionMatrix();
  renderer.render(scene, camera);
}

function around(model: Object3D): PerspectiveCamera {
  const box = new Box3().setFromObject(model);
  const camera = new PerspectiveCamera();
  const size = box.getSize(new Vector3()).length();
  camera.position.copy(box.getCenter(new Vector3())).addScalar(size / 2);
  camera.near = size / 1000;
  camera.far = size * 10;
  camera.lookAt(box.getCenter(new Vector3()));
  return camera;
}
