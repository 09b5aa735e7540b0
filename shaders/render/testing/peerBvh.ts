/** Nearest hits of rays with triangles, in f64, for peerReference.ts: shares nothing with the renderer that it judges. */

const LEAF_SIZE = 4;
const BINS = 12;

export interface PeerHit {
  triangle: number;
  distance: number;
  /** Barycentric weights of the second and third corner. */
  u: number;
  v: number;
}

export class PeerBvh {
  /** 9 numbers a triangle: a corner and two edges. */
  readonly #corners: Float64Array;
  /** 6 numbers a node: its box. */
  readonly #boxes: Float64Array;
  /** Of an inner node the second child, the first follows it; of a leaf minus the first of its `order` minus 1. */
  readonly #links: Int32Array;
  readonly #counts: Uint32Array;
  readonly #order: Uint32Array;
  readonly #centres: Float64Array;
  readonly #stack = new Int32Array(128);
  #nodes = 0;

  /** `positions`: 9 numbers a triangle. */
  constructor(positions: Float64Array) {
    const count = positions.length / 9;
    this.#corners = new Float64Array(count * 9);
    this.#centres = new Float64Array(count * 3);
    this.#order = Uint32Array.from({ length: count }, (_, i) => i);
    this.#boxes = new Float64Array(count * 12);
    this.#links = new Int32Array(count * 2);
    this.#counts = new Uint32Array(count * 2);
    for (let t = 0; t < count; t++) {
      for (let k = 0; k < 3; k++) {
        const [a, b, c] = [positions[t * 9 + k]!, positions[t * 9 + 3 + k]!, positions[t * 9 + 6 + k]!];
        this.#corners[t * 9 + k] = a;
        this.#corners[t * 9 + 3 + k] = b - a;
        this.#corners[t * 9 + 6 + k] = c - a;
        this.#centres[t * 3 + k] = (a + b + c) / 3;
      }
    }
    this.#build(0, count);
  }

  #grow(box: Float64Array, at: number, triangle: number): void {
    for (let k = 0; k < 3; k++) {
      const a = this.#corners[triangle * 9 + k]!;
      const [b, c] = [a + this.#corners[triangle * 9 + 3 + k]!, a + this.#corners[triangle * 9 + 6 + k]!];
      box[at + k] = Math.min(box[at + k]!, a, b, c);
      box[at + 3 + k] = Math.max(box[at + 3 + k]!, a, b, c);
    }
  }

  #build(first: number, end: number): number {
    const node = this.#nodes++;
    this.#boxes.set([Infinity, Infinity, Infinity, -Infinity, -Infinity, -Infinity], node * 6);
    for (let i = first; i < end; i++) this.#grow(this.#boxes, node * 6, this.#order[i]!);
    const middle = end - first > LEAF_SIZE ? this.#split(first, end) : first;
    if (middle === first) {
      this.#links[node] = -first - 1;
      this.#counts[node] = end - first;
      return node;
    }
    this.#build(first, middle);
    this.#links[node] = this.#build(middle, end);
    return node;
  }

  /** Sorts a range about the best of some planes by surface area; where none is better than half, halves it. */
  #split(first: number, end: number): number {
    const [centres, order] = [this.#centres, this.#order];
    let best = { cost: Infinity, axis: 0, plane: 0 };
    for (let axis = 0; axis < 3; axis++) {
      let [low, high] = [Infinity, -Infinity];
      for (let i = first; i < end; i++) {
        low = Math.min(low, centres[order[i]! * 3 + axis]!);
        high = Math.max(high, centres[order[i]! * 3 + axis]!);
      }
      if (!(high > low)) continue;
      const found = this.#cheapest(first, end, axis, low, high);
      if (found.cost < best.cost) best = { ...found, axis };
    }
    if (best.cost === Infinity) return (first + end) >> 1;
    let middle = first;
    for (let i = first; i < end; i++) {
      const triangle = order[i]!;
      if (centres[triangle * 3 + best.axis]! >= best.plane) continue;
      order[i] = order[middle]!;
      order[middle++] = triangle;
    }
    return middle === first || middle === end ? (first + end) >> 1 : middle;
  }

  #cheapest(first: number, end: number, axis: number, low: number, high: number): { cost: number; plane: number } {
    const counts = new Uint32Array(BINS);
    const boxes = new Float64Array(BINS * 6);
    for (let bin = 0; bin < BINS; bin++) boxes.set([Infinity, Infinity, Infinity, -Infinity, -Infinity, -Infinity], bin * 6);
    for (let i = first; i < end; i++) {
      const triangle = this.#order[i]!;
      const bin = Math.min(BINS - 1, Math.floor(((this.#centres[triangle * 3 + axis]! - low) / (high - low)) * BINS));
      counts[bin]!++;
      this.#grow(boxes, bin * 6, triangle);
    }
    const sweep = (bins: readonly number[]): { area: number; count: number }[] => {
      const box = [Infinity, Infinity, Infinity, -Infinity, -Infinity, -Infinity];
      let count = 0;
      return bins.map((bin) => {
        for (let k = 0; k < 3; k++) {
          box[k] = Math.min(box[k]!, boxes[bin * 6 + k]!);
          box[k + 3] = Math.max(box[k + 3]!, boxes[bin * 6 + k + 3]!);
        }
        count += counts[bin]!;
        const [x, y, z] = [box[3]! - box[0]!, box[4]! - box[1]!, box[5]! - box[2]!];
        return { count, area: count ? x * y + y * z + z * x : 0 };
      });
    };
    const upward = [...counts.keys()];
    const [below, above] = [sweep(upward), sweep(upward.toReversed()).toReversed()];
    let best = { cost: Infinity, plane: 0 };
    for (let bin = 1; bin < BINS; bin++) {
      const cost = below[bin - 1]!.area * below[bin - 1]!.count + above[bin]!.area * above[bin]!.count;
      if (below[bin - 1]!.count && above[bin]!.count && cost < best.cost) best = { cost, plane: low + ((high - low) * bin) / BINS };
    }
    return best;
  }

  /** The nearest hit beyond `least`; `hit.triangle` is -1 where there is none before `most`. */
  trace(ox: number, oy: number, oz: number, dx: number, dy: number, dz: number, least: number, most: number, hit: PeerHit): void {
    const [boxes, stack] = [this.#boxes, this.#stack];
    const [ix, iy, iz] = [1 / dx, 1 / dy, 1 / dz];
    hit.triangle = -1;
    hit.distance = most;
    let top = 0;
    stack[top++] = 0;
    while (top > 0) {
      const node = stack[--top]!;
      const [x0, x1] = [(boxes[node * 6]! - ox) * ix, (boxes[node * 6 + 3]! - ox) * ix];
      const [y0, y1] = [(boxes[node * 6 + 1]! - oy) * iy, (boxes[node * 6 + 4]! - oy) * iy];
      const [z0, z1] = [(boxes[node * 6 + 2]! - oz) * iz, (boxes[node * 6 + 5]! - oz) * iz];
      const near = Math.max(Math.min(x0, x1), Math.min(y0, y1), Math.min(z0, z1), least);
      const far = Math.min(Math.max(x0, x1), Math.max(y0, y1), Math.max(z0, z1), hit.distance);
      if (!(near <= far * (1 + 1e-9))) continue;
      const link = this.#links[node]!;
      if (link < 0) {
        for (let i = -link - 1; i < -link - 1 + this.#counts[node]!; i++) this.#test(this.#order[i]!, ox, oy, oz, dx, dy, dz, least, hit);
      } else {
        const axis = this.#axis(node, link, dx, dy, dz);
        stack[top++] = axis ? node + 1 : link;
        stack[top++] = axis ? link : node + 1;
      }
    }
  }

  /** Whether the second child is nearer. */
  #axis(node: number, second: number, dx: number, dy: number, dz: number): boolean {
    const b = this.#boxes;
    const at = (node + 1) * 6;
    let ahead = 0;
    ahead += (b[second * 6]! + b[second * 6 + 3]! - b[at]! - b[at + 3]!) * dx;
    ahead += (b[second * 6 + 1]! + b[second * 6 + 4]! - b[at + 1]! - b[at + 4]!) * dy;
    ahead += (b[second * 6 + 2]! + b[second * 6 + 5]! - b[at + 2]! - b[at + 5]!) * dz;
    return ahead < 0;
  }

  /** Moeller and Trumbore, 1997. */
  #test(t: number, ox: number, oy: number, oz: number, dx: number, dy: number, dz: number, least: number, hit: PeerHit): void {
    const c = this.#corners;
    const at = t * 9;
    const [ex, ey, ez, fx, fy, fz] = [c[at + 3]!, c[at + 4]!, c[at + 5]!, c[at + 6]!, c[at + 7]!, c[at + 8]!];
    const [px, py, pz] = [dy * fz - dz * fy, dz * fx - dx * fz, dx * fy - dy * fx];
    const det = ex * px + ey * py + ez * pz;
    if (det === 0) return;
    const [sx, sy, sz] = [ox - c[at]!, oy - c[at + 1]!, oz - c[at + 2]!];
    const u = (sx * px + sy * py + sz * pz) / det;
    if (u < 0 || u > 1) return;
    const [qx, qy, qz] = [sy * ez - sz * ey, sz * ex - sx * ez, sx * ey - sy * ex];
    const v = (dx * qx + dy * qy + dz * qz) / det;
    if (v < 0 || u + v > 1) return;
    const distance = (fx * qx + fy * qy + fz * qz) / det;
    if (distance <= least || distance >= hit.distance) return;
    hit.triangle = t;
    hit.distance = distance;
    hit.u = u;
    hit.v = v;
  }
}
