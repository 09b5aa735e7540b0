import { expect, test } from 'vitest';
import { loadScene, tracePath } from './reference.ts';
import { analyticScenes } from './testing/analytic.ts';

/** Closed forms against the CPU reference; kernel.browser.test.ts has them against the kernel. */

const PATHS = 8192;

for (const { name, scene, expected, allowed } of analyticScenes()) {
  test(name, () => {
    const loaded = loadScene(scene.packed);
    const sums = [0, 0, 0];
    const squares = [0, 0, 0];
    for (let path = 0; path < PATHS; path++) {
      // 128 pixels of 64 samples each, which are stratified.
      const pixel = path >> 6;
      const { r, g, b } = tracePath(loaded, scene.job, pixel % 16, pixel >> 4, path & 63);
      [r, g, b].forEach((value, channel) => {
        sums[channel]! += value;
        squares[channel]! += value * value;
      });
    }
    expected.forEach((truth, channel) => {
      const mean = sums[channel]! / PATHS;
      const error = Math.sqrt(Math.max(squares[channel]! / PATHS - mean * mean, 0) / PATHS);
      const report = `mean ${mean}, expected ${truth}, standard error ${error}`;
      expect(error, report).toBeLessThan(0.03 * truth);
      expect(Math.abs(mean - truth), report).toBeLessThan(3 * error + allowed * truth);
    });
  });
}
