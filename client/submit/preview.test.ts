import { beforeEach, expect, it, vi } from 'vitest';
import { type Preview, type PreviewHost, PreviewUnavailable, type WorkloadPreview } from '../../shared/preview.ts';
import { InputError } from '../../shared/workload.ts';
import { PreviewState } from './preview.svelte.ts';

const shows: [unknown, number][] = [];
const changes: unknown[] = [];
let closed = 0;
let host: PreviewHost | undefined;
const shown = { show: (params: unknown, frame: number) => void shows.push([params, frame]), close: () => void closed++ } as unknown as Preview;
const face = (open: WorkloadPreview['open']): PreviewState =>
  new PreviewState(
    async () => ({ open }),
    (params) => void changes.push(params),
  );
const drawing = (): PreviewState =>
  face(async (on) => {
    host = on;
    return shown;
  });
const failing = (error: Error): PreviewState => face(() => Promise.reject(error));

const canvas = {} as HTMLCanvasElement;
const subject = { files: {}, params: { width: 3 } };
const settle = () => vi.waitFor(() => undefined).then(() => new Promise((resolve) => setTimeout(resolve)));

beforeEach(() => {
  shows.length = 0;
  changes.length = 0;
  closed = 0;
});

it('draws what is ordered now, at the frame that is looked at, until the canvas goes', async () => {
  const state = drawing();
  const leave = state.attach(canvas, subject);
  expect(state.status).toBe('loading');
  await settle();
  expect(state.status).toBe('shown');
  state.show({ width: 4 });
  expect(shows).toEqual([[{ width: 4 }, 0]]);
  state.seek(7);
  state.show({ width: 5 });
  expect(shows.slice(1)).toEqual([
    [{ width: 4 }, 7],
    [{ width: 5 }, 7],
  ]);
  host?.change({ view: 1 } as object);
  expect(changes).toEqual([{ view: 1 }]);
  host?.lost(true);
  expect(state.status).toBe('lost');
  host?.lost(false);
  expect(state.status).toBe('shown');
  leave();
  expect([state.status, state.preview, closed]).toEqual(['none', null, 1]);
});

it('what was ordered meanwhile is drawn once the files have been read', async () => {
  let read = (): void => undefined;
  const state = face(() => new Promise((resolve) => (read = () => resolve(shown))));
  state.attach(canvas, subject);
  await settle();
  state.show({ width: 4 });
  expect(shows).toEqual([]);
  read();
  await settle();
  expect(shows).toEqual([[{ width: 4 }, 0]]);
});

it('what is opened after the canvas has gone is closed at once', async () => {
  const state = drawing();
  state.attach(canvas, subject)();
  await settle();
  expect(state.preview).toBeNull();
  expect(state.status).toBe('none');
});

it.each([
  [new InputError('model', 'Not a .glb.', 'one .glb'), 'refused', { model: 'Not a .glb. Accepted: one .glb' }],
  [new PreviewUnavailable('no WebGL'), 'unavailable', {}],
  [new Error('a bug'), 'broken', {}],
] as const)('%s', async (error, status, errors) => {
  const state = failing(error);
  const leave = state.attach(canvas, subject);
  await settle();
  expect([state.status, state.errors]).toEqual([status, errors]);
  leave();
  state.attach(canvas, subject);
  expect(state.errors).toEqual({});
});
