/** Meshes for the gallery: indexed triangles, counter-clockwise from outside, y up, texture v down. Lengths in metres. */
export interface Shape {
  readonly positions: readonly number[];
  readonly normals: readonly number[];
  readonly uvs: readonly number[];
  readonly indices: readonly number[];
}

type Point = readonly [number, number, number];

const cross = (a: Point, b: Point): Point => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
const unit = (a: Point): Point => {
  const length = Math.hypot(...a);
  return [a[0] / length, a[1] / length, a[2] / length];
};

/** Several shapes as one. */
export function merge(shapes: readonly Shape[]): Shape {
  let first = 0;
  const indices = shapes.flatMap((shape) => {
    const shifted = shape.indices.map((index) => index + first);
    first += shape.positions.length / 3;
    return shifted;
  });
  return {
    positions: shapes.flatMap((shape) => shape.positions),
    normals: shapes.flatMap((shape) => shape.normals),
    uvs: shapes.flatMap((shape) => shape.uvs),
    indices,
  };
}

/** A parallelogram that faces along right x up; `repeat` is how often a texture fits along the two edges. The corner is at the lower left. */
export function quad(corner: Point, right: Point, up: Point, repeat: readonly [number, number] = [1, 1]): Shape {
  const normal = unit(cross(right, up));
  const at = (u: number, v: number): Point => [corner[0] + right[0] * u + up[0] * v, corner[1] + right[1] * u + up[1] * v, corner[2] + right[2] * u + up[2] * v];
  return {
    positions: [...at(0, 0), ...at(1, 0), ...at(1, 1), ...at(0, 1)],
    normals: [...normal, ...normal, ...normal, ...normal],
    uvs: [0, repeat[1], repeat[0], repeat[1], repeat[0], 0, 0, 0],
    indices: [0, 1, 2, 0, 2, 3],
  };
}

/** A box around the origin whose edges are cut off at 45 degrees by `bevel`. Texture: once on the front and back, once on the other sides. */
export function bevelledBox(width: number, height: number, depth: number, bevel: number): Shape {
  const half: Point = [width / 2, height / 2, depth / 2];
  const faces: Shape[] = [];
  for (let axis = 0; axis < 3; axis++) {
    for (const side of [-1, 1]) {
      // The other two axes, ordered so that the face looks outward.
      const [u, v] = side > 0 ? [(axis + 1) % 3, (axis + 2) % 3] : [(axis + 2) % 3, (axis + 1) % 3];
      faces.push(face(half, bevel, axis, side, u!, v!));
    }
  }
  return merge([...faces, ...bevels(half, bevel)]);
}

function face(half: Point, bevel: number, axis: number, side: number, u: number, v: number): Shape {
  const corner: [number, number, number] = [0, 0, 0];
  const right: [number, number, number] = [0, 0, 0];
  const up: [number, number, number] = [0, 0, 0];
  corner[axis] = side * half[axis]!;
  corner[u] = -(half[u]! - bevel);
  corner[v] = -(half[v]! - bevel);
  right[u] = 2 * (half[u]! - bevel);
  up[v] = 2 * (half[v]! - bevel);
  return quad(corner, right, up);
}

/** The twelve cut edges and eight cut corners. */
function bevels(half: Point, bevel: number): Shape[] {
  const shapes: Shape[] = [];
  const inner = half.map((value) => value - bevel) as [number, number, number];
  // The vertex of face `axis` at the corner with these signs.
  const vertex = (signs: Point, axis: number): Point => [0, 1, 2].map((k) => signs[k]! * (k === axis ? half[k]! : inner[k]!)) as unknown as Point;
  for (let axis = 0; axis < 3; axis++) {
    const [a, b] = [(axis + 1) % 3, (axis + 2) % 3];
    for (const sa of [-1, 1]) {
      for (const sb of [-1, 1]) {
        const signs = (along: number): Point => {
          const out: [number, number, number] = [0, 0, 0];
          out[axis] = along;
          out[a] = sa;
          out[b] = sb;
          return out;
        };
        shapes.push(polygon([vertex(signs(-1), a), vertex(signs(1), a), vertex(signs(1), b), vertex(signs(-1), b)]));
      }
    }
  }
  for (const x of [-1, 1]) for (const y of [-1, 1]) for (const z of [-1, 1]) shapes.push(polygon([0, 1, 2].map((axis) => vertex([x, y, z], axis))));
  return shapes;
}

/** A flat convex polygon that faces away from the origin, with texture coordinate 0. */
function polygon(points: readonly Point[]): Shape {
  const [a, b, c] = points as readonly [Point, Point, Point];
  const normal = unit(cross([b[0] - a[0], b[1] - a[1], b[2] - a[2]], [c[0] - a[0], c[1] - a[1], c[2] - a[2]]));
  const outward = normal[0] * a[0] + normal[1] * a[1] + normal[2] * a[2] > 0;
  const ordered = outward ? points : points.toReversed();
  const facing = normal.map((value) => (outward ? value : -value));
  return {
    positions: ordered.flat(),
    normals: points.flatMap(() => facing),
    uvs: points.flatMap(() => [0, 0]),
    indices: points.slice(2).flatMap((_, index) => [0, index + 1, index + 2]),
  };
}

/**
 * A profile of (radius, height) turned about the y axis, smooth: seen with the axis to its left, the outside lies to the right of the way
 * the profile is walked upwards. A point given twice in a row is a sharp edge.
 */
export function lathe(profile: readonly (readonly [number, number])[], segments: number): Shape {
  const positions: number[] = [];
  const normals: number[] = [];
  const uvs: number[] = [];
  const indices: number[] = [];
  profile.forEach(([radius, height], row) => {
    const [nr, ny] = profileNormal(profile, row);
    for (let segment = 0; segment <= segments; segment++) {
      const angle = (segment / segments) * 2 * Math.PI;
      positions.push(radius * Math.sin(angle), height, radius * Math.cos(angle));
      normals.push(nr * Math.sin(angle), ny, nr * Math.cos(angle));
      uvs.push(segment / segments, 1 - row / (profile.length - 1));
    }
    const isEdge = profile[row + 1]?.[0] === radius && profile[row + 1]?.[1] === height;
    if (row + 1 === profile.length || isEdge) return;
    const below = row * (segments + 1);
    const above = below + segments + 1;
    for (let segment = 0; segment < segments; segment++) {
      const [a, b, c, d] = [below + segment, below + segment + 1, above + segment + 1, above + segment];
      // At the axis one of the two triangles has no area.
      if (radius > 0) indices.push(a, b, d);
      if (profile[row + 1]![0] > 0) indices.push(b, c, d);
    }
  });
  return { positions, normals, uvs, indices };
}

/** (radial, vertical) part of the normal: at right angles to the way from the point before to the point after, on the same side of a sharp edge. */
function profileNormal(profile: readonly (readonly [number, number])[], row: number): readonly [number, number] {
  const same = (a: number, b: number): boolean => profile[a]?.[0] === profile[b]?.[0] && profile[a]?.[1] === profile[b]?.[1];
  const before = row > 0 && !same(row - 1, row) ? profile[row - 1]! : profile[row]!;
  const after = row + 1 < profile.length && !same(row + 1, row) ? profile[row + 1]! : profile[row]!;
  const [dr, dy] = [after[0] - before[0], after[1] - before[1]];
  const length = Math.hypot(dr, dy);
  return [dy / length, -dr / length];
}

export function sphere(radius: number, rings: number): Shape {
  const profile = Array.from({ length: rings + 1 }, (_, ring): [number, number] => {
    const angle = (ring / rings - 0.5) * Math.PI;
    // Exactly on the axis at both poles.
    return [ring === 0 || ring === rings ? 0 : radius * Math.cos(angle), radius * Math.sin(angle)];
  });
  return lathe(profile, rings * 2);
}
