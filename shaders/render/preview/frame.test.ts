import { describe, expect, test } from 'vitest';
import { lookAt, viewCamera } from '../camera.ts';
import type { View } from '../params.ts';
import { approached, cropOf, moved, roundedView, turned, viewOf } from './frame.ts';

const view: View = { position: [0, 0, 4], target: [0, 0, 0], fieldOfViewDegrees: 60 };
const close = (a: readonly number[], b: readonly number[]): void =>
  expect(a.map((value) => Number(value.toFixed(6)) + 0)).toEqual(b.map((value) => Number(value.toFixed(6)) + 0));
const distance = ({ position, target }: View): number => Math.hypot(...position.map((value, axis) => value - target[axis]!));

describe('the crop', () => {
  test.each([0.1, 1, 16 / 9, 40])('has the picture’s shape in the middle of the canvas at aspect %f', (aspect) => {
    const { x, y, width, height } = cropOf(aspect, 800, 500);
    expect(width / height).toBeCloseTo(aspect, 9);
    expect([x + width / 2, y + height / 2]).toEqual([400, 250]);
    expect(Math.max(width / 800, height / 500)).toBeCloseTo(0.92, 9);
  });
});

describe('hands', () => {
  test('turn to the right and upwards around what is looked at', () => {
    close(turned(view, Math.PI / 2, 0).position, [4, 0, 0]);
    close(turned(view, 0, Math.PI / 4).position, [0, 4 * Math.SQRT1_2, 4 * Math.SQRT1_2]);
    expect(turned(view, 1, 0.3).target).toEqual([0, 0, 0]);
  });

  test('never get to where up is lost: whatever is done can be ordered', () => {
    for (const up of [Math.PI / 2, -Math.PI / 2, 9]) {
      const over = turned(view, 0.3, up);
      expect(distance(over)).toBeCloseTo(4, 9);
      expect(viewCamera(roundedView(over))).not.toBeNull();
    }
  });

  test('move in heights of the picture, without turning', () => {
    const height = 2 * 4 * Math.tan(Math.PI / 6);
    const beside = moved(view, 0.5, 0.25);
    close(beside.target, [height / 2, height / 4, 0]);
    close(beside.position, [height / 2, height / 4, 4]);
    // Seen from above, upwards is away from the camera as well.
    const above = turned(view, 0, Math.PI / 4);
    const up = moved(above, 0, 1);
    close(
      up.target.map((value) => value / height),
      [0, Math.SQRT1_2, -Math.SQRT1_2],
    );
  });

  test('come closer as far as a thousandth of the scene', () => {
    close(approached(view, 0.5, 1).position, [0, 0, 2]);
    expect(distance(approached(view, 1e-9, 2))).toBeCloseTo(2e-3, 9);
    expect(distance(approached(view, 1e9, 2))).toBeCloseTo(200, 6);
  });
});

describe('the view of a camera', () => {
  test('looks from the same place in the same direction, at the middle of the scene', () => {
    const camera = lookAt([3, 2, 1], [0, 0.5, 0], 0.8)!;
    const own = viewOf(camera, camera.poses[0]!, [0, 0, 0], 1);
    close(own.position, [3, 2, 1]);
    expect(own.fieldOfViewDegrees).toBeCloseTo((0.8 * 180) / Math.PI, 9);
    const again = viewCamera(own)!.poses[0]!;
    close(again.forward, camera.poses[0]!.forward);
    expect(distance(own)).toBeGreaterThan(3);
  });

  test('of an orthographic camera covers as much where the scene is', () => {
    const camera = { ...lookAt([0, 0, 10], [0, 0, 0], 1)!, projection: { kind: 'orthographic', height: 5 } as const };
    const own = viewOf(camera, camera.poses[0]!, [0, 0, 0], 1);
    expect(2 * distance(own) * Math.tan((own.fieldOfViewDegrees * Math.PI) / 360)).toBeCloseTo(5, 9);
  });
});
