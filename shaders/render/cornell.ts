import { lookAt } from './camera.ts';
import { type Material, type MeshScene, stillScene, TriangleBuilder, type Vec3, whiteMaterial } from './mesh.ts';

/**
 * The Cornell box: sizes of the real one, www.graphics.cornell.edu/online/box/data.html; reflectances (linear RGB of the measured
 * spectra) and light of "CornellBox-Original" in M. McGuire's Computer Graphics Archive.
 */

const matte = (baseColor: Vec3): Material => ({ ...whiteMaterial, baseColor });
const WHITE = matte([0.725, 0.71, 0.68]);
const RED = matte([0.63, 0.065, 0.05]);
const GREEN = matte([0.14, 0.45, 0.091]);
const LIGHT: Material = { ...matte([0.78, 0.78, 0.78]), emission: [17, 12, 4] };

/** Four corners of each quad, counter-clockwise from the front, as published: millimetres, x to the left and z away from the camera. */
const quads: readonly (readonly [Material, readonly number[]])[] = [
  // Floor, ceiling, back wall, right wall, left wall.
  [WHITE, [552.8, 0, 0, 0, 0, 0, 0, 0, 559.2, 549.6, 0, 559.2]],
  [WHITE, [556, 548.8, 0, 556, 548.8, 559.2, 0, 548.8, 559.2, 0, 548.8, 0]],
  [WHITE, [549.6, 0, 559.2, 0, 0, 559.2, 0, 548.8, 559.2, 556, 548.8, 559.2]],
  [GREEN, [0, 0, 559.2, 0, 0, 0, 0, 548.8, 0, 0, 548.8, 559.2]],
  [RED, [552.8, 0, 0, 549.6, 0, 559.2, 556, 548.8, 559.2, 556, 548.8, 0]],
  // The light, half a millimetre below the ceiling: in one plane they would hide each other by chance.
  [LIGHT, [343, 548.3, 227, 343, 548.3, 332, 213, 548.3, 332, 213, 548.3, 227]],
  // The short block: top and sides.
  [WHITE, [130, 165, 65, 82, 165, 225, 240, 165, 272, 290, 165, 114]],
  [WHITE, [290, 0, 114, 290, 165, 114, 240, 165, 272, 240, 0, 272]],
  [WHITE, [130, 0, 65, 130, 165, 65, 290, 165, 114, 290, 0, 114]],
  [WHITE, [82, 0, 225, 82, 165, 225, 130, 165, 65, 130, 0, 65]],
  [WHITE, [240, 0, 272, 240, 165, 272, 82, 165, 225, 82, 0, 225]],
  // The tall block.
  [WHITE, [423, 330, 247, 265, 330, 296, 314, 330, 456, 472, 330, 406]],
  [WHITE, [423, 0, 247, 423, 330, 247, 472, 330, 406, 472, 0, 406]],
  [WHITE, [472, 0, 406, 472, 330, 406, 314, 330, 456, 314, 0, 456]],
  [WHITE, [314, 0, 456, 314, 330, 456, 265, 330, 296, 265, 0, 296]],
  [WHITE, [265, 0, 296, 265, 330, 296, 423, 330, 247, 423, 0, 247]],
];

/** A film of 25 mm behind a lens of 35 mm. */
const YFOV = 2 * Math.atan(25 / 2 / 35);

/** Published millimetres -> metres, turned by half a circle about y: x to the right, z towards the camera, x = 0 in the middle. */
const turned = (x: number, y: number, z: number): Vec3 => [(278 - x) / 1000, y / 1000, -z / 1000];

export function cornellBox(): MeshScene {
  const materials = [WHITE, RED, GREEN, LIGHT];
  const builder = new TriangleBuilder(quads.length * 2);
  for (const [material, corners] of quads) {
    const corner = (index: number): Vec3 => turned(corners[index * 3]!, corners[index * 3 + 1]!, corners[index * 3 + 2]!);
    builder.add([...corner(0), ...corner(1), ...corner(2)], null, null, materials.indexOf(material));
    builder.add([...corner(0), ...corner(2), ...corner(3)], null, null, materials.indexOf(material));
  }
  const camera = lookAt(turned(278, 273, -800), turned(278, 273, 0), YFOV);
  return stillScene(builder.finish(), materials, { cameras: camera ? [camera] : [] });
}
