import { MeshoptTangents } from 'meshoptimizer/tangents';
import { cornersOf, type Geometry } from './gltfGeometry.ts';
import { sceneLimits } from './limits.ts';

/**
 * MikkTSpace tangents, as glTF 2.0 (3.7.2.1) asks for. meshoptimizer computes them: within 3e-6 of the npm package `mikktspace` (a sphere of
 * 180,000 triangles), in 0.16 s instead of 0.86 s.
 */

/**
 * Sum over all points of the squared number of corners there: triangles around one point are compared with each other, and a fan of 16,000
 * takes 0.24 s. This is a second; a sphere of a million triangles has 1.8e7 but for its poles.
 */
const PAIRS_MAX = 1e9;

/** Must be awaited once before `cornerTangents`. */
export const tangentsReady = (): Promise<void> => MeshoptTangents.ready;

const finiteOr = (value: number, other: number, limit: number): number => (Math.abs(value) <= limit ? value : other);

/** 4 numbers for every corner of every triangle: tangent and sign of the bitangent, with v down. Adds to `report` where it must make do with less. */
export function cornerTangents(geometry: Geometry, uvSet: 0 | 1, path: string, report: string[]): Float32Array {
  const { triangles, mode, indices } = geometry;
  const [positions, normals, uvs] = [new Float32Array(triangles * 9), new Float32Array(triangles * 9), new Float32Array(triangles * 6)];
  const source = uvSet === 1 ? geometry.uvs1 : geometry.uvs;
  if (!source) report.push(`${path} has a normal map, but no texture coordinates for it.`);
  const places = new Uint32Array(3);
  for (let triangle = 0; triangle < triangles; triangle++) {
    cornersOf(mode, triangle, places);
    for (let corner = 0; corner < 3; corner++) {
      const vertex = indices ? indices[places[corner]!]! : places[corner]!;
      const at = triangle * 3 + corner;
      for (let i = 0; i < 3; i++) positions[at * 3 + i] = finiteOr(geometry.positions[vertex * 3 + i]!, 0, sceneLimits.coordinateMax);
      if (geometry.normals) for (let i = 0; i < 3; i++) normals[at * 3 + i] = finiteOr(geometry.normals[vertex * 3 + i]!, 0, sceneLimits.coordinateMax);
      if (source) for (let i = 0; i < 2; i++) uvs[at * 2 + i] = finiteOr(source[vertex * 2 + i]!, 0, sceneLimits.uvMax);
    }
    if (!geometry.normals) flatNormal(positions, normals, triangle * 9);
  }
  if (pairsAtPoints(positions) > PAIRS_MAX) {
    report.push(`${path} has too many triangles around one point for smooth tangents: it has flat ones.`);
    return flatTangents(positions, uvs);
  }
  const tangents = MeshoptTangents.generateTangents(null, positions, 3, normals, 3, uvs, 2, ['Compatible']);
  // MikkTSpace has v up, glTF has it down.
  for (let i = 3; i < tangents.length; i += 4) tangents[i]! *= -1;
  return tangents;
}

function flatNormal(positions: Float32Array, normals: Float32Array, at: number): void {
  const edge = (corner: number, axis: number): number => positions[at + corner * 3 + axis]! - positions[at + axis]!;
  const normal = [0, 1, 2].map((axis) => {
    const [next, last] = [(axis + 1) % 3, (axis + 2) % 3];
    return edge(1, next) * edge(2, last) - edge(1, last) * edge(2, next);
  });
  const length = Math.hypot(...normal) || 1;
  for (let corner = 0; corner < 3; corner++) for (let axis = 0; axis < 3; axis++) normals[at + corner * 3 + axis] = normal[axis]! / length;
}

/** Sum over all points of the squared number of corners there, through a hash table with open addressing. */
function pairsAtPoints(positions: Float32Array): number {
  const corners = positions.length / 3;
  const size = 1 << Math.ceil(Math.log2(corners * 2));
  const [owner, count] = [new Int32Array(size).fill(-1), new Uint32Array(size)];
  const bits = new Uint32Array(positions.buffer);
  const same = (a: number, b: number): boolean =>
    positions[a * 3] === positions[b * 3] && positions[a * 3 + 1] === positions[b * 3 + 1] && positions[a * 3 + 2] === positions[b * 3 + 2];
  for (let corner = 0; corner < corners; corner++) {
    let hash = 0;
    for (let i = 0; i < 3; i++) {
      // +0 and -0 are one place.
      const word = positions[corner * 3 + i] === 0 ? 0 : bits[corner * 3 + i]!;
      hash = Math.imul(hash ^ word, 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    let at = hash & (size - 1);
    while (owner[at] !== -1 && !same(owner[at]!, corner)) at = (at + 1) & (size - 1);
    owner[at] = corner;
    count[at]!++;
  }
  return count.reduce((sum, times) => sum + times * times, 0);
}

/** Of every triangle by itself: the direction in which u grows, and whether v grows to its right. A triangle without any has 0 0 0. */
function flatTangents(positions: Float32Array, uvs: Float32Array): Float32Array {
  const out = new Float32Array((positions.length / 3) * 4);
  for (let triangle = 0; triangle * 9 < positions.length; triangle++) {
    const [p, q] = [triangle * 9, triangle * 6];
    const [u1, v1, u2, v2] = [uvs[q + 2]! - uvs[q]!, uvs[q + 3]! - uvs[q + 1]!, uvs[q + 4]! - uvs[q]!, uvs[q + 5]! - uvs[q + 1]!];
    const area = u1 * v2 - u2 * v1;
    const tangent = [0, 1, 2].map(
      (i) => ((positions[p + 3 + i]! - positions[p + i]!) * v2 - (positions[p + 6 + i]! - positions[p + i]!) * v1) * Math.sign(area),
    );
    const length = Math.hypot(...tangent) || 1;
    for (let corner = 0; corner < 3; corner++) out.set([...tangent.map((value) => value / length), area > 0 ? -1 : 1], (triangle * 3 + corner) * 4);
  }
  return out;
}
