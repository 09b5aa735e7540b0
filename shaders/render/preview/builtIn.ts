import { BufferAttribute, BufferGeometry, Color, DoubleSide, FrontSide, Group, Mesh, MeshStandardMaterial } from 'three';
import type { MeshScene, Triangles } from '../mesh.ts';
import { Bounds, type Stage } from './stage.ts';

/** A built-in scene: it has no textures, no instances and no motion. */
export function builtInStage(scene: MeshScene): Stage {
  const root = new Group();
  for (const mesh of scene.meshes) root.add(...meshesOf(mesh, scene));
  root.updateMatrixWorld(true);
  return {
    root,
    lights: [],
    triangles: scene.meshes.reduce((sum, { count }) => sum + count, 0),
    report: [],
    seconds: 0,
    seek: () => undefined,
    cameras: () => scene.cameras,
    box() {
      const bounds = new Bounds();
      bounds.addNode(root, new Set(), false);
      return bounds.box;
    },
  };
}

/** One for each material. */
function meshesOf({ positions, normals, materials }: Triangles, scene: MeshScene): Mesh[] {
  return scene.materials.flatMap((material, index) => {
    const own = [...materials.keys()].filter((triangle) => materials[triangle] === index);
    if (own.length === 0) return [];
    const pick = (from: Float32Array): BufferAttribute =>
      new BufferAttribute(
        Float32Array.from({ length: own.length * 9 }, (_, at) => from[own[Math.floor(at / 9)]! * 9 + (at % 9)]!),
        3,
      );
    const geometry = new BufferGeometry().setAttribute('position', pick(positions)).setAttribute('normal', pick(normals));
    const { baseColor, emission, roughness, metallic, doubleSided } = material;
    const strength = Math.max(1, ...emission);
    const look = new MeshStandardMaterial({
      color: new Color(...baseColor),
      emissive: new Color(...emission.map((value) => value / strength)),
      emissiveIntensity: strength,
      roughness,
      metalness: metallic,
      side: doubleSided ? DoubleSide : FrontSide,
    });
    const mesh = new Mesh(geometry, look);
    mesh.frustumCulled = false;
    return [mesh];
  });
}
