import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { limits, MIB } from '../../shared/limits.ts';
import { elementsOf, elementWords, gridOf, PATCH, tileRect, wordAt } from './grid.ts';
import { imageLimits } from './limits.ts';
import { layersOf, MARGIN, macsOf, OUTPUT_LAYER, scales } from './network.ts';
import { blocksIn, imagePlane, type Plane, SLICE_UNITS_MIN, scheduleOf, slotBytes, stagesOf, unitsIn, windowOf } from './plan.ts';
import { spec } from './spec.ts';
import { testJob } from './testing/jobs.ts';

const DEFAULT_BINDING_BYTES = 128 * MIB;

describe('the network', () => {
  test('margins are what the layers behind read', () => {
    for (const scale of scales) {
      const stages = stagesOf(scale);
      // The last layer looks one pixel of the picture around itself, which is one of its plane.
      const needed = new Map<Plane, number>([[stages.at(-1)!.output, 1]]);
      for (const { layer, first, second, residual, output } of stages.toReversed()) {
        expect(output.margin, layer.name).toBe(needed.get(output));
        for (const [plane, reach] of [
          [first, (layer.edge - 1) / 2],
          [second, 0],
          [residual, 0],
        ] as const)
          if (plane) needed.set(plane, Math.max(needed.get(plane) ?? 0, output.margin + reach));
      }
      expect(needed.get(imagePlane)).toBe(MARGIN);
    }
  });

  test('multiplications and additions, counted one by one', () => {
    let count = 0;
    for (const { name, edge, from, to, margin } of layersOf(3)) {
      const [width, height] = name === OUTPUT_LAYER ? [5 * 3, 4 * 3] : [5 + 2 * margin, 4 + 2 * margin];
      for (let pixel = 0; pixel < width * height; pixel++) for (let tap = 0; tap < edge ** 2; tap++) count += from * to;
    }
    expect(macsOf(3, 5, 4)).toBe(count);
  });
});

describe('stages', () => {
  test('write no memory that they read, and nothing that is still needed', () => {
    const stages = stagesOf(4);
    for (const [at, { layer, first, second, residual, output }] of stages.entries()) {
      for (const plane of [first, second, residual]) expect(plane?.slot, layer.name).not.toBe(output.slot);
      const later = stages.slice(at + 1).flatMap((stage) => [stage.first, stage.second, stage.residual]);
      const before = [imagePlane, ...stages.slice(0, at).map((stage) => stage.output)];
      for (const plane of before) if (plane.slot === output.slot) expect(later, layer.name).not.toContain(plane);
    }
  });

  test('the smallest slice has a workgroup', () => {
    for (const scale of scales)
      for (const { unitsPerBlock } of scheduleOf(scale, windowOf({ x: 0, y: 0, width: 16, height: 16 })))
        expect(unitsPerBlock).toBeLessThanOrEqual(SLICE_UNITS_MIN);
  });

  test('slices have every workgroup once, in order', () => {
    const schedules = scheduleOf(2, { width: 40, height: 24, corners: [{ x: 0, y: 0 }] });
    const units = unitsIn(schedules);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: units }), { maxLength: 20 }), (cuts) => {
        const ends = [0, ...cuts, units].sort((a, b) => a - b);
        for (const schedule of schedules) {
          let next = 0;
          for (const [index, end] of ends.slice(1).entries()) {
            const { first, count } = blocksIn(schedule, ends[index]!, end);
            if (count > 0) expect(first).toBe(next);
            next += count;
          }
          expect(next).toBe(schedule.blocks);
        }
      }),
    );
  });
});

describe('tiles', () => {
  const job = (scale: 2 | 3 | 4, width: number, height: number) => testJob(scale, width, height);

  test('cover the picture, and patches a tile, each pixel once', () => {
    for (const it of [job(2, 21, 14), job(3, 300, 129), job(4, 353, 352)]) {
      const { width, height } = it.prepared;
      const seen = new Uint8Array(width * height);
      for (let tile = 0; tile < gridOf(it.params, it.prepared).tiles; tile++) {
        const rect = tileRect(it, tile);
        for (let y = rect.y; y < rect.y + rect.height; y++) for (let x = rect.x; x < rect.x + rect.width; x++) seen[y * width + x]!++;
      }
      expect(seen.every((times) => times === 1)).toBe(true);
    }
    const words = new Set<number>();
    const [columns, edge] = [3, PATCH * 2];
    for (let y = 0; y < 2 * edge; y++) for (let x = 0; x < columns * edge; x++) words.add(wordAt(2, columns, x, y));
    expect([Math.min(...words), Math.max(...words), words.size]).toEqual([0, columns * 2 * edge ** 2 - 1, columns * 2 * edge ** 2]);
  });

  test('of small pictures are few, of large ones large', () => {
    expect(gridOf({ scale: '2' }, job(2, 100, 100).prepared).tiles).toBe(1);
    expect(tileRect(job(2, 320, 200), 0)).toEqual({ x: 0, y: 0, width: 112, height: 112 });
    expect(tileRect(job(2, 320, 200), 5)).toEqual({ x: 224, y: 112, width: 96, height: 88 });
    expect(tileRect(job(4, 2048, 2048), 0).width).toBe(352);
    expect(tileRect(job(4, 2048, 2048), 35)).toEqual({ x: 1760, y: 1760, width: 288, height: 288 });
  });

  test('stay below what a result may have, what WebGPU binds by default, and what a job may have', () => {
    for (const scale of scales) {
      const edge = scale === 4 ? 352 : 448;
      // Twice as wide and high: four tiles of the largest size.
      const full = job(scale, 2 * edge, 2 * edge);
      const at = { pass: 0, tile: 0 };
      expect(tileRect(full, 0)).toEqual({ x: 0, y: 0, width: edge, height: edge });
      expect(16 + 4 * elementsOf(full, at) * elementWords(full)).toBeLessThanOrEqual(limits.resultBytesMax);
      expect(4 * elementWords(full)).toBeLessThanOrEqual(limits.answerBytesMax);
      for (const [slot, bytes] of slotBytes(scale, windowOf(tileRect(full, 0)))) expect(bytes, slot).toBeLessThanOrEqual(DEFAULT_BINDING_BYTES);
      const longest = Math.floor(imageLimits.outputEdgePixelsMax / scale);
      const largest = job(scale, longest, longest);
      expect(longest ** 2 * 3).toBeLessThanOrEqual(DEFAULT_BINDING_BYTES);
      expect(gridOf(largest.params, largest.prepared).tiles).toBeLessThan(limits.tilesPerJobMax);
      expect(tileRect(largest, 0).width).toBeLessThanOrEqual(edge);
    }
  });

  test('are told in pixels of the picture that comes out', () => {
    const it = job(3, 300, 129);
    expect(spec.picture(it)).toEqual({ width: 900, height: 387, frames: 1 });
    expect(spec.region(it, { pass: 0, tile: 5 })).toEqual({ x: 672, y: 240, width: 228, height: 147, frame: 0 });
    expect(spec.work(it, { pass: 0, tile: 0 })).toBeGreaterThan(spec.work(it, { pass: 0, tile: 5 }));
  });
});
