import { describe, expect, test } from 'vitest';
import type { SlicePolicy } from '../../shared/workload.ts';
import { inSlices, SliceController, unlessAborted, type WorkRange } from './slices.ts';

test('work approaches what fits into the budget', () => {
  const controller = new SliceController(1000, 64, 1_000_000);
  const msPerInvocation = 0.001;
  for (let slice = 0; slice < 20; slice++) controller.report(controller.work, controller.work * msPerInvocation, 8);
  expect(controller.work).toBe(8000);
});

test('one slice changes the work by at most a half up and a half down, within the bounds', () => {
  const controller = new SliceController(1000, 900, 1600);
  controller.report(1000, 0, 8);
  expect(controller.work).toBe(1500);
  controller.report(1500, 1, 8);
  expect(controller.work).toBe(1600);
  controller.report(1600, 1000, 8);
  expect(controller.work).toBe(900);
});

test('a slice cut short shrinks the work when it was slow, but never grows it', () => {
  const controller = new SliceController(1000, 1, 10_000);
  controller.report(10, 0.1, 8);
  expect(controller.work).toBe(1000);
  controller.report(500, 16, 8);
  expect(controller.work).toBe(250);
});

test('an abort ends the wait at once, with its reason', async () => {
  const aborter = new AbortController();
  const waiting = unlessAborted(new Promise<void>(() => {}), aborter.signal);
  aborter.abort(new Error('stopped'));
  await expect(waiting).rejects.toThrow('stopped');
  await expect(unlessAborted(Promise.resolve(1), aborter.signal)).rejects.toThrow('stopped');
  expect(await unlessAborted(Promise.resolve(1), new AbortController().signal)).toBe(1);
});

test('a promise that fails after an abort is listened to all the same', async () => {
  // Vitest listens too and would fail the run; this says which test it was.
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => void unhandled.push(reason);
  process.on('unhandledRejection', note);
  await expect(unlessAborted(Promise.reject(new Error('too late')), AbortSignal.abort(new Error('stopped')))).rejects.toThrow('stopped');
  await new Promise((resolve) => setTimeout(resolve, 10));
  process.off('unhandledRejection', note);
  expect(unhandled).toEqual([]);
});

/** A GPU that does one slice after the other, `sliceMs` each, and says what it is asked. */
class Queue {
  readonly log: string[] = [];
  underWay = 0;
  most = 0;
  #last: Promise<void> = Promise.resolve();

  submit = (slice: WorkRange): Promise<string> => {
    const name = `${slice.first}-${slice.end}`;
    this.log.push(`submit ${name}`);
    this.most = Math.max(this.most, ++this.underWay);
    const before = this.#last;
    const done = before.then(() => new Promise<void>((resolve) => setTimeout(resolve, 20)));
    this.#last = done;
    return done.then(() => {
      this.underWay--;
      this.log.push(`done ${name}`);
      return name;
    });
  };
}

const never = new AbortController().signal;

async function all(ranges: WorkRange[], policy: Partial<SlicePolicy>, queue: Queue, signal = never): Promise<string[]> {
  const controller = new SliceController(10, 10, 10);
  const finished: string[] = [];
  const whole = { budgetMs: () => 8, inFlight: () => 2 as const, between: async () => undefined, ...policy };
  for await (const name of inSlices(ranges, { controller, policy: whole, signal, submit: queue.submit })) finished.push(name);
  return finished;
}

describe('slices', () => {
  const ranges = [
    { first: 0, end: 25 },
    { first: 40, end: 50 },
  ];
  const slices = ['0-10', '10-20', '20-25', '40-50'];

  test('cover the ranges in order, two at a time where that is allowed', async () => {
    for (const most of [1, 2] as const) {
      const queue = new Queue();
      expect(await all(ranges, { inFlight: () => most }, queue)).toEqual(slices);
      expect(queue.most).toBe(most);
    }
  });

  test('are measured without the wait for the one before', async () => {
    const measured: [number, number][] = [];
    const between = async (ms: number, underWay: number): Promise<void> => void measured.push([ms, underWay]);
    await all(ranges, { between }, new Queue());
    // Each takes 20 ms; handed in together, two would seem to take 40.
    expect(measured.map(([, underWay]) => underWay)).toEqual([1, 1, 1, 0]);
    expect(measured.reduce((sum, [ms]) => sum + ms, 0)).toBeLessThan(4 * 20 + 60);
  });

  test('leave nothing on the GPU at the end, however it comes', async () => {
    const aborter = new AbortController();
    const queue = new Queue();
    const between = async (): Promise<void> => aborter.abort(new Error('stopped'));
    await expect(all(ranges, { between }, queue, aborter.signal)).rejects.toThrow('stopped');
    expect(queue.log).toEqual(['submit 0-10', 'submit 10-20', 'done 0-10', 'done 10-20']);

    const other = new Queue();
    const policy = { budgetMs: () => 8, inFlight: () => 2 as const, between: async () => undefined };
    for await (const _ of inSlices(ranges, { controller: new SliceController(10, 10, 10), policy, signal: never, submit: other.submit })) break;
    expect(other.underWay).toBe(0);
  });

  test('fail once, with what the GPU said, though two were on it', async () => {
    const submit = (): Promise<never> => Promise.reject(new Error('lost'));
    const policy = { budgetMs: () => 8, inFlight: () => 2 as const, between: async () => undefined };
    const run = inSlices(ranges, { controller: new SliceController(10, 10, 10), policy, signal: never, submit });
    await expect(run.next()).rejects.toThrow('lost');
  });
});
