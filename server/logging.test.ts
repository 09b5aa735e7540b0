import { expect, test } from 'vitest';
import type { Event } from './core/state.ts';
import { Visitor, withApp } from './http/testing.ts';
import { logEvents } from './logging.ts';

type Line = Readonly<Record<string, unknown>>;

test.each(['info', 'trace'] as const)(
  'a log of level %s has no address, no cookie and no token; a failure is found by the id that its answer has',
  async (logLevel) => {
    const lines: string[] = [];
    await withApp(
      async (test) => {
        test.app.get('/broken', async ({ log, raw, headers }) => {
          log.info({ headers, token: 'hush-token', grant: { secret: 'hush-secret' }, req: raw }, 'about to fail');
          throw new Error('broken');
        });
        const visitor = new Visitor(test);
        await visitor.start();
        const { status, headers } = await visitor.ask('GET', '/broken?code=hush-code', undefined, { authorization: 'Contributor c_x.hush-header' });
        expect(status).toBe(500);
        const parsed = lines.map((line) => JSON.parse(line) as Line);
        expect(parsed.find(({ msg }) => msg === 'a request failed')).toMatchObject({ reqId: headers['x-request-id'], level: 50 });
        expect(parsed.find(({ msg }) => msg === 'about to fail')).toMatchObject({ req: { method: 'GET', path: '/broken' }, token: '[secret]' });
        for (const secret of ['hush', visitor.address, visitor.cookie!.split('=')[1]!]) expect(lines.join('')).not.toContain(secret);
      },
      { config: { logLevel }, logStream: { write: (line) => void lines.push(line) } },
    );
    expect(lines.length).toBeGreaterThan(1);
  },
);

test('what the core decides is told by the ids of what it is about', () => {
  const told: [object, string][] = [];
  const tile = { job: 'j_1', at: { pass: 2, tile: 7 }, parts: 1 };
  logEvents({ info: (...line) => void told.push(line) })([
    { type: 'verdict', ...tile, contributor: 'c_1', state: 'refuted', reason: 'wrong' },
    { type: 'verdict', ...tile, contributor: 'c_1', state: 'accepted', reason: '' },
    { type: 'tileRevoked', ...tile, result: 'r_1' },
    { type: 'jobEnded', job: 'j_1', summary: { parts: { total: 4 } } },
  ] as unknown as Event[]);
  expect(told).toEqual([
    [{ job: 'j_1', pass: 2, tile: 7, contributor: 'c_1', reason: 'wrong' }, 'a result was refuted'],
    [{ job: 'j_1', pass: 2, tile: 7, result: 'r_1' }, 'an accepted result was taken back'],
    [{ job: 'j_1', parts: { total: 4 } }, 'a job has ended'],
  ]);
});
