import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { takeToken } from '../net/link-token.ts';
import { Desk } from './desk.svelte.ts';

const view = { session: 'op_1', expiresMs: 1, openReports: 0, paused: null, drills: [] };
let answers: Record<string, () => Response>;
const asked: string[] = [];
const json = (body: object, status = 200) => new Response(JSON.stringify(body), { status });

beforeEach(() => {
  asked.length = 0;
  answers = { 'GET /api/operator': () => json(view), 'POST /api/operator/session': () => json({}) };
  vi.stubGlobal('fetch', async (path: string, { method }: { method: string }) => {
    asked.push(`${method} ${path}`);
    return answers[`${method} ${path}`]?.() ?? json({ code: 'not_found', detail: 'Nothing.' }, 404);
  });
});
afterEach(() => vi.unstubAllGlobals());

it('the secret of a link leaves the address, whatever it is', () => {
  const replaceState = vi.fn();
  const address = { hash: `#${'a'.repeat(43)}`, pathname: '/operator' };
  vi.stubGlobal('location', address);
  vi.stubGlobal('history', { replaceState });
  expect(takeToken()).toBe('a'.repeat(43));
  address.hash = '#short';
  expect(takeToken()).toBeNull();
  expect(replaceState.mock.calls).toEqual([
    [null, '', '/operator'],
    [null, '', '/operator'],
  ]);
  address.hash = '';
  expect(takeToken()).toBeNull();
  expect(replaceState).toHaveBeenCalledTimes(2);
});

it('opens with the session that there is, or with a link', async () => {
  const desk = new Desk();
  await desk.open(null);
  expect([asked, desk.view]).toEqual([['GET /api/operator'], view]);
  await desk.open('b'.repeat(43));
  expect(asked.slice(1)).toEqual(['POST /api/operator/session', 'GET /api/operator']);
});

it('a session that has ended shows nothing any more', async () => {
  const desk = new Desk();
  await desk.open(null);
  answers['GET /api/operator'] = () => json({ code: 'signed_out', detail: 'Over.' }, 401);
  await desk.refresh();
  expect([desk.view, desk.error?.code]).toEqual([null, 'signed_out']);
});

it('what is asked is done with its reason, said, and shown anew; a refusal leaves the question', async () => {
  const desk = new Desk();
  const done = vi.fn();
  const act = vi.fn(async (reason: string, option: boolean) => `Done: ${reason}, ${option}.`);
  desk.ask({ title: 'Hide', words: '', verb: 'Hide', act, done });
  await desk.perform('It is dull.', true);
  expect([desk.said, desk.asked, done.mock.calls.length]).toEqual(['Done: It is dull., true.', null, 1]);
  expect(asked).toEqual(['GET /api/operator']);
  const refused = { title: 'Hide', words: '', verb: 'Hide', act: () => Promise.reject(new Error('No.')), done };
  desk.ask(refused);
  await expect(desk.perform('Again.', false)).rejects.toMatchObject({ name: 'ApiError', message: 'No.' });
  expect([desk.asked, done.mock.calls.length]).toEqual([refused, 1]);
});
