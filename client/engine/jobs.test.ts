import { expect, it, vi } from 'vitest';
import type { JobContext, JobId } from '../../shared/model.ts';
import type { JobBrief } from '../../shared/protocol.ts';
import type { WorkloadEntry } from '../../shared/workload.ts';
import type { GpuKeeper } from './device.ts';
import { Jobs } from './jobs.ts';

const id = 'j_AAAAAAAAAAAAAAAA' as JobId;
const brief = (samples: number): JobBrief => ({
  id,
  workload: 'fake',
  version: 1,
  title: '',
  seed: 1,
  params: { samples },
  prepared: {},
  inputs: [],
  progress: 0,
});

function made() {
  const took: number[] = [];
  let nowMs = 0;
  const opened: { params: unknown; dispose: ReturnType<typeof vi.fn> }[] = [];
  const open = async (_: unknown, { params }: JobContext) => {
    const runner = { params, dispose: vi.fn() };
    opened.push(runner);
    nowMs += 700;
    return runner;
  };
  const entry = { spec: { version: 1 }, run: async () => ({ open }) } as unknown as WorkloadEntry;
  const jobs = new Jobs({
    blobs: { get: async () => new Uint8Array() },
    gpu: { device: {} } as GpuKeeper,
    workload: () => entry,
    kinds: new Set(['fake']),
    downloadBytesMax: () => 1,
    clock: { now: () => nowMs },
    opened: (ms) => took.push(ms),
    changed: () => undefined,
  });
  return { jobs, opened, took };
}
const [none, running] = [new Set<JobId>(), new Set([id])];
const settle = () => new Promise((resolve) => setTimeout(resolve));

it('a job that is told again as it was stays open', async () => {
  const { jobs, opened } = made();
  jobs.learn([brief(8)]);
  jobs.prefetch(id, running, none);
  await settle();
  jobs.learn([brief(8)]);
  jobs.prefetch(id, running, none);
  await settle();
  expect([opened.length, jobs.ready(id)?.context.params]).toEqual([1, { samples: 8 }]);
});

it('a job that was extended is opened anew, once what still runs of it has ended', async () => {
  const { jobs, opened } = made();
  jobs.learn([brief(8)]);
  jobs.prefetch(id, running, none);
  await settle();
  jobs.learn([brief(64)]);
  expect(jobs.ready(id)).toBeNull();
  jobs.prefetch(id, running, running);
  await settle();
  expect([opened.length, opened[0]?.dispose.mock.calls.length]).toEqual([1, 0]);
  jobs.prefetch(id, running, none);
  await settle();
  expect([opened.map(({ params }) => params), opened[0]?.dispose.mock.calls.length]).toEqual([[{ samples: 8 }, { samples: 64 }], 1]);
  expect(jobs.ready(id)?.context.params).toEqual({ samples: 64 });
});

it('says how long a job took to open', async () => {
  const { jobs, took } = made();
  jobs.learn([brief(8)]);
  jobs.prefetch(id, none);
  await settle();
  jobs.prefetch(id, none);
  await settle();
  expect(took).toEqual([700]);
});
