import { expect, test } from 'vitest';
import { requestDevice } from './device.ts';
import { openGauge } from './gauge.ts';

test('a reading takes about as long as the last one, on a real device', async () => {
  const { device } = await requestDevice(navigator.gpu);
  const gauge = await openGauge(device);
  const readings: number[] = [];
  for (let index = 0; index < 9; index++) readings.push(await gauge.measure());
  const [least, middle] = [Math.min(...readings), readings.toSorted((a, b) => a - b)[4]!];
  expect(least).toBeGreaterThan(0.2);
  expect(middle).toBeLessThan(40);
  gauge.dispose();
  device.destroy();
});
