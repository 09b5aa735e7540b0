import { afterEach, describe, expect, it, vi } from 'vitest';
import type { JobId } from '../../shared/model.ts';
import { ApiError, api, asApiError, errorOf } from './api.ts';

afterEach(() => vi.unstubAllGlobals());
const answer = (status: number, body: unknown) => vi.stubGlobal('fetch', async () => new Response(JSON.stringify(body), { status }));
const job = 'j_AAAAAAAAAAAAAAAA' as JobId;

describe('api', () => {
  it('gives what the coordinator answered', async () => {
    answer(200, { jobs: [{ id: job }] });
    expect(await api.jobs('public')).toEqual([{ id: job }]);
  });

  it('turns a refusal into an error with its field and limit', async () => {
    answer(422, {
      type: '/api#problem-bad_input',
      title: 'Bad input',
      status: 422,
      detail: 'Too wide.',
      code: 'bad_input',
      field: 'params.width',
      limit: '16 to 8192',
    });
    await expect(api.job(job)).rejects.toMatchObject({ code: 'bad_input', message: 'Too wide.', field: 'params.width', limit: '16 to 8192' });
  });

  it('calls a lost connection offline, not an error of the coordinator', async () => {
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('Failed to fetch')));
    await expect(api.job(job)).rejects.toMatchObject({ code: 'offline' });
  });

  it('passes an abort on as it is', async () => {
    const abort = new AbortController();
    vi.stubGlobal('fetch', (_: string, { signal }: RequestInit) => Promise.reject(signal?.reason));
    abort.abort();
    await expect(api.quote({ workload: 'x', params: {}, files: {} }, abort.signal)).rejects.toBe(abort.signal.reason);
  });
});

it('makes a readable sentence of a page that a proxy sent', () => {
  expect(errorOf(502, null)).toMatchObject({ code: 'internal', message: 'The coordinator answered with status 502.' });
});

it('keeps the errors it knows and wraps the others', () => {
  const known = new ApiError('busy', 'Later.');
  expect(asApiError(known)).toBe(known);
  expect(asApiError(new Error('boom'))).toMatchObject({ code: 'internal', message: 'boom' });
});
