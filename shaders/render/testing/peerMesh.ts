export type Triple = readonly [number, number, number];

export interface PeerMaterial {
  /** Linear. */
  readonly color: Triple;
  readonly metallic: 0 | 1;
  /** As glTF has it: the square root of GGX's alpha. */
  readonly roughness: number;
  readonly emission: Triple;
}

/** An indexed triangle mesh with one material, counter-clockwise from outside, normals on its corners. */
export class PeerMesh {
  readonly material: PeerMaterial;
  readonly #positions: number[] = [];
  readonly #normals: number[] = [];
  readonly #indices: number[] = [];

  constructor(material: PeerMaterial) {
    this.material = material;
  }

  get positions(): Float32Array<ArrayBuffer> {
    return new Float32Array(this.#positions);
  }

  get normals(): Float32Array<ArrayBuffer> {
    return new Float32Array(this.#normals);
  }

  get indices(): Uint32Array<ArrayBuffer> {
    return new Uint32Array(this.#indices);
  }

  #corner(position: Triple, normal: Triple): void {
    this.#positions.push(...position);
    this.#normals.push(...normal);
  }

  /** Facing cross(right, up). */
  quad(corner: Triple, right: Triple, up: Triple): this {
    const first = this.#positions.length / 3;
    const normal = unit([right[1] * up[2] - right[2] * up[1], right[2] * up[0] - right[0] * up[2], right[0] * up[1] - right[1] * up[0]]);
    for (const [r, u] of [
      [0, 0],
      [1, 0],
      [1, 1],
      [0, 1],
    ] as const)
      this.#corner([corner[0] + right[0] * r + up[0] * u, corner[1] + right[1] * r + up[1] * u, corner[2] + right[2] * r + up[2] * u], normal);
    this.#indices.push(first, first + 1, first + 2, first, first + 2, first + 3);
    return this;
  }

  /** 4 x rings x (rings - 1) triangles with smooth normals. */
  sphere(centre: Triple, radius: number, rings: number): this {
    const first = this.#positions.length / 3;
    const columns = 2 * rings;
    for (let i = 0; i <= rings; i++) {
      for (let j = 0; j <= columns; j++) {
        const [theta, phi] = [(Math.PI * i) / rings, (2 * Math.PI * j) / columns];
        const n: Triple = [Math.sin(theta) * Math.cos(phi), Math.cos(theta), -Math.sin(theta) * Math.sin(phi)];
        this.#corner([centre[0] + radius * n[0], centre[1] + radius * n[1], centre[2] + radius * n[2]], n);
      }
    }
    for (let i = 0; i < rings; i++) {
      for (let j = 0; j < columns; j++) {
        const at = first + i * (columns + 1) + j;
        const below = at + columns + 1;
        if (i > 0) this.#indices.push(at, below + 1, at + 1);
        if (i < rings - 1) this.#indices.push(at, below, below + 1);
      }
    }
    return this;
  }

  /** 2 x columns x rows triangles over the rectangle from `low` to `high` in (x, z), with smooth normals, facing up. */
  field(
    low: readonly [number, number],
    high: readonly [number, number],
    [columns, rows]: readonly [number, number],
    height: (x: number, z: number) => number,
  ): this {
    const first = this.#positions.length / 3;
    const delta = 1e-4;
    for (let j = 0; j <= rows; j++) {
      for (let i = 0; i <= columns; i++) {
        const [x, z] = [low[0] + ((high[0] - low[0]) * i) / columns, low[1] + ((high[1] - low[1]) * j) / rows];
        const slopeX = (height(x + delta, z) - height(x - delta, z)) / (2 * delta);
        const slopeZ = (height(x, z + delta) - height(x, z - delta)) / (2 * delta);
        this.#corner([x, height(x, z), z], unit([-slopeX, 1, -slopeZ]));
      }
    }
    for (let j = 0; j < rows; j++) {
      for (let i = 0; i < columns; i++) {
        const at = first + j * (columns + 1) + i;
        this.#indices.push(at, at + 1, at + columns + 2, at, at + columns + 2, at + columns + 1);
      }
    }
    return this;
  }
}

function unit([x, y, z]: Triple): Triple {
  const length = Math.hypot(x, y, z);
  return [x / length, y / length, z / length];
}
