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
  const at = (u: number, v: number): Point => [
    corner[0] + right[0] * u + up[0] * v,
    corner[1] + right[1] * u + up[1] * v,
    corner[2] + right[2] * u + up[2] * v,
  ];
  return {
    positions: [...at(0, 0), ...at(1, 0), ...at(1, 1), ...at(0, 1)],
    normals: [...normal, ...normal, ...normal, ...normal],
    uvs: [0, repeat[1], repeat[0], repeat[1], repeat[0], 0, 0, 0],
    indices: [0, 1, 2, 0, 2, 3],
  };
}

const SIDES = [-1, 1] as const;
const AROUND = [
  [-1, -1],
  [1, -1],
  [1, 1],
  [-1, 1],
] as const;

/** A box around the origin whose edges are cut off at 45 degrees by `bevel`: 6 faces, 12 cut edges, 8 cut corners. Its texture coordinates are 0. */
export function bevelledBox(width: number, height: number, depth: number, bevel: number): Shape {
  const half: Point = [width / 2, height / 2, depth / 2];
  // The vertex of the face across `axis` that lies at the corner with these signs.
  const vertex = (signs: Point, axis: number): Point => {
    const at = (k: number): number => signs[k]! * (k === axis ? half[k]! : half[k]! - bevel);
    return [at(0), at(1), at(2)];
  };
  const polygons: Shape[] = [];
  for (let axis = 0; axis < 3; axis++) {
    const [next, last] = [(axis + 1) % 3, (axis + 2) % 3];
    const signs = (along: number, a: number, b: number): Point => (axis === 0 ? [along, a, b] : axis === 1 ? [b, along, a] : [a, b, along]);
    for (const side of SIDES) polygons.push(polygon(AROUND.map(([a, b]) => vertex(signs(side, a, b), axis))));
    for (const [a, b] of AROUND) {
      const ends = [signs(-1, a, b), signs(1, a, b)] as const;
      polygons.push(polygon([vertex(ends[0], next), vertex(ends[1], next), vertex(ends[1], last), vertex(ends[0], last)]));
    }
  }
  for (const x of SIDES) for (const [y, z] of AROUND) polygons.push(polygon([0, 1, 2].map((axis) => vertex([x, y, z], axis))));
  return merge(polygons);
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

/** A rectangle of this size around `centre` that faces `target`, which is not straight above or below. */
export function panel(centre: Point, target: Point, width: number, height: number): Shape {
  const normal = unit([target[0] - centre[0], target[1] - centre[1], target[2] - centre[2]]);
  const right = unit(cross([0, 1, 0], normal));
  const up = cross(normal, right);
  const corner = [0, 1, 2].map((axis) => centre[axis]! - (right[axis]! * width + up[axis]! * height) / 2) as unknown as Point;
  return quad(corner, [right[0] * width, right[1] * width, right[2] * width], [up[0] * height, up[1] * height, up[2] * height]);
}

/**
 * A profile turned about the y axis, smooth: radius, height, radius, height and so on. The outside lies to the right of the way, so that
 * an outer wall is walked upwards. A point given twice in a row is a sharp edge.
 */
export function lathe(profile: readonly number[], segments: number): Shape {
  const rows = profile.length / 2;
  const positions: number[] = [];
  const normals: number[] = [];
  const uvs: number[] = [];
  const indices: number[] = [];
  for (let row = 0; row < rows; row++) {
    const [radius, height] = [profile[row * 2]!, profile[row * 2 + 1]!];
    const [radial, vertical] = profileNormal(profile, row);
    for (let segment = 0; segment <= segments; segment++) {
      const angle = (segment / segments) * 2 * Math.PI;
      positions.push(radius * Math.sin(angle), height, radius * Math.cos(angle));
      normals.push(radial * Math.sin(angle), vertical, radial * Math.cos(angle));
      uvs.push(segment / segments, 1 - row / (rows - 1));
    }
    if (row + 1 === rows || isSame(profile, row, row + 1)) continue;
    for (let segment = 0; segment < segments; segment++) {
      const a = row * (segments + 1) + segment;
      const [b, c, d] = [a + 1, a + segments + 2, a + segments + 1];
      // At the axis one of the two triangles has no area.
      if (radius > 0) indices.push(a, b, d);
      if (profile[row * 2 + 2]! > 0) indices.push(b, c, d);
    }
  }
  return { positions, normals, uvs, indices };
}

const isSame = (profile: readonly number[], a: number, b: number): boolean => profile[a * 2] === profile[b * 2] && profile[a * 2 + 1] === profile[b * 2 + 1];

/** (radial, vertical) part of the normal: at right angles to the way from the point before to the point after, on this side of a sharp edge. */
function profileNormal(profile: readonly number[], row: number): readonly [number, number] {
  const before = row > 0 && !isSame(profile, row - 1, row) ? row - 1 : row;
  const after = row * 2 + 2 < profile.length && !isSame(profile, row, row + 1) ? row + 1 : row;
  const [across, along] = [profile[after * 2]! - profile[before * 2]!, profile[after * 2 + 1]! - profile[before * 2 + 1]!];
  const length = Math.hypot(across, along);
  return [along / length, -across / length];
}

export function sphere(radius: number, rings: number): Shape {
  const profile = Array.from({ length: rings + 1 }, (_, ring) => {
    const angle = (ring / rings - 0.5) * Math.PI;
    // Exactly on the axis at both poles.
    return [ring === 0 || ring === rings ? 0 : radius * Math.cos(angle), radius * Math.sin(angle)];
  });
  return lathe(profile.flat(), rings * 2);
}
