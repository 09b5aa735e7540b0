import { expect, it } from 'vitest';
import type { Clock } from './clock.ts';
import type { GpuKeeper } from './device.ts';
import { Yielding } from './yielding.ts';

/** A GPU whose gauge reads `speed.ms`, and time that passes by sleeping. */
function stage() {
  let now = 0;
  const clock: Clock = {
    now: () => now,
    async sleep(ms, signal) {
      signal.throwIfAborted();
      await Promise.resolve();
      now += ms;
    },
  };
  const speed = { ms: 1, readings: 0 };
  const lost = new AbortController();
  const said: string[] = [];
  const yielding = new Yielding({
    gpu: { device: {}, lost: lost.signal } as unknown as GpuKeeper,
    clock,
    signal: new AbortController().signal,
    openGauge: async () => ({
      measure: async () => {
        speed.readings++;
        return speed.ms;
      },
      dispose: () => undefined,
    }),
    pause: () => said.push(`pause at ${now}`),
    resume: () => said.push(`resume at ${now}`),
  });
  const work = async (ms: number): Promise<void> => {
    for (const end = now + ms; now < end; now += 50) if (yielding.isDue) await yielding.inGap();
  };
  return { speed, said, lost, work, settle: () => new Promise((resolve) => setTimeout(resolve, 5)) };
}

it('reads twice a second', async () => {
  const { speed, said, work } = stage();
  await work(10_000);
  expect(speed.readings).toBe(20);
  expect(said).toEqual([]);
});

it('pauses after three slow seconds, probes, and goes on when the GPU is free', async () => {
  const { speed, said, work, settle } = stage();
  await work(10_000);
  speed.ms = 3;
  await work(3_050);
  // The probe runs beside the work that now stands still.
  expect(said).toEqual(['pause at 13000']);
  speed.ms = 1;
  await settle();
  expect(said).toHaveLength(2);
  expect(said[1]).toMatch(/^resume at/);
});

it('does not stand still for ever when the device is lost meanwhile', async () => {
  const { speed, said, lost, work, settle } = stage();
  await work(10_000);
  speed.ms = 3;
  await work(3_050);
  lost.abort(new Error('lost'));
  await settle();
  expect(said[1]).toMatch(/^resume at/);
});
