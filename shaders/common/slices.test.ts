import { expect, test } from 'vitest';
import { SliceController, unlessAborted } from './slices.ts';

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
