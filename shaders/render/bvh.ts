import { sceneSections } from '../../shared/formats.ts';

/**
 * Bounding volume hierarchy over triangles: binned surface area heuristic, top down.
 * Source: I. Wald, "On fast Construction of SAH-based Bounding Volume Hierarchies", IEEE RT 2007.
 * One traversal step is a node visit (two boxes) or a triangle test, so both cost 1 in the heuristic as they do in the price.
 */

const BINS = 16;
/** The kernels keep 72 stack entries for both trees and two marks. */
export const treeDepthMax = 44;
export const instanceDepthMax = 26;

/** What a tree may look like. */
export interface BvhShape {
  /** Most triangles, or instances, of a leaf; 1 to 8. */
  readonly leafMax: number;
  readonly depthMax: number;
}

export const triangleTree: BvhShape = { leafMax: 4, depthMax: treeDepthMax };
export const instanceTree: BvhShape = { leafMax: 1, depthMax: instanceDepthMax };

export interface Bvh {
  /** Section `nodes` of a packed scene. */
  readonly nodes: Uint8Array<ArrayBuffer>;
  /** Leaf order: order[i] is the triangle at place i. */
  readonly order: Uint32Array;
  /** Edges from the root to the deepest leaf. */
  readonly depth: number;
}

/** Min xyz, max xyz of bins without triangles. */
const EMPTY_BOXES = Float32Array.from({ length: BINS * 6 }, (_, index) => (index % 6 < 3 ? Infinity : -Infinity));

/** Levels that repeated halving takes to get `count` triangles into leaves. */
const halvings = (count: number, leafMax: number): number => (count <= leafMax ? 0 : 32 - Math.clz32(Math.ceil(count / leafMax) - 1));

const halfArea = (dx: number, dy: number, dz: number): number => dx * dy + dy * dz + dz * dx;

/**
 * `bounds`: 6 f32 a triangle, min xyz, max xyz; at least one triangle. The same bounds give the same bytes.
 * The depth never exceeds `shape.depthMax`: where the heuristic would use up the levels that halving needs, the rest is halved.
 */
export function buildBvh(bounds: Float32Array, shape: BvhShape = triangleTree): Bvh {
  const builder = new Builder(bounds, shape);
  return builder.build();
}

class Builder {
  readonly #bounds: Float32Array;
  readonly #shape: BvhShape;
  /** The bounds in leaf order, moved along with `#order`: chasing the order through memory would double the time for a million triangles. */
  readonly #moved: Float32Array;
  readonly #order: Uint32Array;
  readonly #floats: Float32Array<ArrayBuffer>;
  readonly #words: Uint32Array<ArrayBuffer>;
  #nodes = 0;
  #depth = 0;
  /** Box of the current range, and box of its centres: min xyz, max xyz. */
  readonly #box = new Float32Array(6);
  readonly #centreBox = new Float64Array(6);
  readonly #binBoxes = new Float32Array(BINS * 6);
  readonly #binCounts = new Uint32Array(BINS);
  readonly #rightCosts = new Float64Array(BINS);
  /** The split found last: places with bin <= #splitBin on #splitAxis go left. */
  #bins = BINS;
  #sweepBin = 0;
  #splitAxis = 0;
  #splitBin = 0;

  constructor(bounds: Float32Array, shape: BvhShape) {
    const count = bounds.length / 6;
    this.#bounds = bounds;
    this.#shape = shape;
    this.#order = Uint32Array.from({ length: count }, (_, index) => index);
    this.#moved = bounds.slice();
    // A binary tree has one inner node less than leaves. One more node at the end takes the root's own box, which nobody reads.
    this.#floats = new Float32Array((Math.max(1, count - 1) + 1) * 16);
    this.#words = new Uint32Array(this.#floats.buffer);
  }

  build(): Bvh {
    const rootSlot = this.#floats.length - 16;
    // Entries of (start, end, depth, slot, sorted). A slot is where the parent keeps this child's box and reference.
    const stack: [number, number, number, number, boolean][] = [[0, this.#order.length, 0, rootSlot, false]];
    for (let entry = stack.pop(); entry; entry = stack.pop()) {
      const [start, end, depth, slot, sorted] = entry;
      this.#measure(start, end);
      this.#writeBox(slot);
      const halve = sorted || depth + 1 + halvings(end - start - 1, this.#shape.leafMax) > this.#shape.depthMax;
      const middle = halve ? this.#halve(start, end, sorted) : this.#split(start, end);
      if (middle === start) {
        this.#words[slot + 3] = start;
        this.#words[slot + 7] = end - start;
        this.#depth = Math.max(this.#depth, depth);
        continue;
      }
      const node = this.#nodes++;
      this.#words[slot + 3] = node;
      this.#words[slot + 7] = 0;
      stack.push([middle, end, depth + 1, node * 16 + 8, halve], [start, middle, depth + 1, node * 16, halve]);
    }
    if (this.#nodes === 0) this.#wrapLeaf(rootSlot);
    return { nodes: new Uint8Array(this.#floats.buffer.slice(0, this.#nodes * sceneSections.nodes.stride)), order: this.#order, depth: this.#depth };
  }

  /** A scene of one leaf: a root whose right child no ray hits. */
  #wrapLeaf(rootSlot: number): void {
    this.#words.copyWithin(0, rootSlot, rootSlot + 8);
    this.#floats.fill(3e38, 8, 11);
    this.#floats.fill(-3e38, 12, 15);
    this.#words[11] = 0;
    this.#words[15] = 1;
    this.#nodes = 1;
  }

  #writeBox(slot: number): void {
    for (let axis = 0; axis < 3; axis++) {
      this.#floats[slot + axis] = this.#box[axis]!;
      this.#floats[slot + 4 + axis] = this.#box[3 + axis]!;
    }
  }

  /** Box of the range, and box of twice its centres. */
  #measure(start: number, end: number): void {
    const moved = this.#moved;
    let [x0, y0, z0, x1, y1, z1] = [Infinity, Infinity, Infinity, -Infinity, -Infinity, -Infinity];
    let [u0, v0, w0, u1, v1, w1] = [Infinity, Infinity, Infinity, -Infinity, -Infinity, -Infinity];
    for (let at = start * 6; at < end * 6; at += 6) {
      const u = moved[at]! + moved[at + 3]!;
      const v = moved[at + 1]! + moved[at + 4]!;
      const w = moved[at + 2]! + moved[at + 5]!;
      if (moved[at]! < x0) x0 = moved[at]!;
      if (moved[at + 1]! < y0) y0 = moved[at + 1]!;
      if (moved[at + 2]! < z0) z0 = moved[at + 2]!;
      if (moved[at + 3]! > x1) x1 = moved[at + 3]!;
      if (moved[at + 4]! > y1) y1 = moved[at + 4]!;
      if (moved[at + 5]! > z1) z1 = moved[at + 5]!;
      if (u < u0) u0 = u;
      if (u > u1) u1 = u;
      if (v < v0) v0 = v;
      if (v > v1) v1 = v;
      if (w < w0) w0 = w;
      if (w > w1) w1 = w;
    }
    const [box, centres] = [this.#box, this.#centreBox];
    box[0] = x0;
    box[1] = y0;
    box[2] = z0;
    box[3] = x1;
    box[4] = y1;
    box[5] = z1;
    centres[0] = u0;
    centres[1] = v0;
    centres[2] = w0;
    centres[3] = u1;
    centres[4] = v1;
    centres[5] = w1;
  }

  /** Splits at the cheapest bin border and returns the middle, or `start` where a leaf is cheaper. */
  #split(start: number, end: number): number {
    const count = end - start;
    if (count === 1) return start;
    const box = this.#box;
    const area = halfArea(box[3]! - box[0]!, box[4]! - box[1]!, box[5]! - box[2]!);
    const cost = this.#cheapest(start, end);
    if (count <= this.#shape.leafMax && area * count <= area + cost) return start;
    // All centres in one place: any cut is as good.
    return cost === Infinity ? start + (count >>> 1) : this.#partition(start, end);
  }

  /** Bins per unit of twice the centre. 0 where the range has no extent along the axis. */
  #scale(axis: number): number {
    const extent = this.#centreBox[3 + axis]! - this.#centreBox[axis]!;
    const scale = this.#bins / extent;
    return Number.isFinite(scale) ? scale : 0;
  }

  /** Finds the border with the smallest sum of half area times triangles of both sides; Infinity where none separates anything. */
  #cheapest(start: number, end: number): number {
    // Most ranges are small, and emptying and sweeping 16 bins for 5 triangles would dominate the build.
    this.#bins = Math.min(BINS, end - start);
    let best = Infinity;
    for (let axis = 0; axis < 3; axis++) {
      const scale = this.#scale(axis);
      if (scale === 0) continue;
      this.#fillBins(start, end, axis, scale);
      const cost = this.#sweep();
      if (cost >= best) continue;
      best = cost;
      this.#splitAxis = axis;
      this.#splitBin = this.#sweepBin;
    }
    return best;
  }

  #fillBins(start: number, end: number, axis: number, scale: number): void {
    const [moved, boxes, counts] = [this.#moved, this.#binBoxes, this.#binCounts];
    counts.fill(0);
    boxes.set(EMPTY_BOXES);
    const low = this.#centreBox[axis]!;
    const last = this.#bins - 1;
    for (let from = start * 6; from < end * 6; from += 6) {
      const bin = Math.min(last, Math.trunc((moved[from + axis]! + moved[from + axis + 3]! - low) * scale));
      const to = bin * 6;
      counts[bin] = counts[bin]! + 1;
      if (moved[from]! < boxes[to]!) boxes[to] = moved[from]!;
      if (moved[from + 1]! < boxes[to + 1]!) boxes[to + 1] = moved[from + 1]!;
      if (moved[from + 2]! < boxes[to + 2]!) boxes[to + 2] = moved[from + 2]!;
      if (moved[from + 3]! > boxes[to + 3]!) boxes[to + 3] = moved[from + 3]!;
      if (moved[from + 4]! > boxes[to + 4]!) boxes[to + 4] = moved[from + 4]!;
      if (moved[from + 5]! > boxes[to + 5]!) boxes[to + 5] = moved[from + 5]!;
    }
  }

  /** The cheapest border of the filled bins: its cost, and in `#sweepBin` the last bin left of it. */
  #sweep(): number {
    const [boxes, counts, costs] = [this.#binBoxes, this.#binCounts, this.#rightCosts];
    let best = Infinity;
    for (const fromRight of [true, false]) {
      let [x0, y0, z0, x1, y1, z1, count] = [Infinity, Infinity, Infinity, -Infinity, -Infinity, -Infinity, 0];
      for (let i = 0; i < this.#bins - 1; i++) {
        const bin = fromRight ? this.#bins - 1 - i : i;
        const at = bin * 6;
        count += counts[bin]!;
        if (boxes[at]! < x0) x0 = boxes[at]!;
        if (boxes[at + 1]! < y0) y0 = boxes[at + 1]!;
        if (boxes[at + 2]! < z0) z0 = boxes[at + 2]!;
        if (boxes[at + 3]! > x1) x1 = boxes[at + 3]!;
        if (boxes[at + 4]! > y1) y1 = boxes[at + 4]!;
        if (boxes[at + 5]! > z1) z1 = boxes[at + 5]!;
        const cost = count === 0 ? Infinity : count * halfArea(x1 - x0, y1 - y0, z1 - z0);
        if (fromRight) costs[bin] = cost;
        else if (cost + costs[bin + 1]! < best) {
          best = cost + costs[bin + 1]!;
          this.#sweepBin = bin;
        }
      }
    }
    return best;
  }

  /** Moves the left side of the split found last to the front of the range and returns where the right side starts. */
  #partition(start: number, end: number): number {
    const [axis, moved, order] = [this.#splitAxis, this.#moved, this.#order];
    const low = this.#centreBox[axis]!;
    const scale = this.#scale(axis);
    const last = this.#bins - 1;
    let [left, right] = [start, end - 1];
    while (left <= right) {
      const bin = Math.min(last, Math.trunc((moved[left * 6 + axis]! + moved[left * 6 + axis + 3]! - low) * scale));
      if (bin <= this.#splitBin) left++;
      else {
        const triangle = order[left]!;
        order[left] = order[right]!;
        order[right] = triangle;
        for (let i = 0; i < 6; i++) {
          const value = moved[left * 6 + i]!;
          moved[left * 6 + i] = moved[right * 6 + i]!;
          moved[right * 6 + i] = value;
        }
        right--;
      }
    }
    return left;
  }

  /** Halves the range along the longest axis of its centres; a range that came from halving is already sorted. */
  #halve(start: number, end: number, sorted: boolean): number {
    if (end - start <= this.#shape.leafMax) return start;
    if (!sorted) {
      const bounds = this.#bounds;
      const extents = [0, 1, 2].map((axis) => this.#centreBox[3 + axis]! - this.#centreBox[axis]!);
      const axis = extents.indexOf(Math.max(...extents));
      const centre = (triangle: number): number => bounds[triangle * 6 + axis]! + bounds[triangle * 6 + axis + 3]!;
      const range = this.#order.subarray(start, end).sort((a, b) => centre(a) - centre(b) || a - b);
      range.forEach((triangle, index) => {
        this.#moved.set(bounds.subarray(triangle * 6, triangle * 6 + 6), (start + index) * 6);
      });
    }
    return start + ((end - start) >>> 1);
  }
}
