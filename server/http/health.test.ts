import { expect, test, vi } from 'vitest';
import { limits } from '../../shared/limits.ts';
import { Visitor, withApp } from './testing.ts';

const ready = async (visitor: Visitor) => {
  const { status, body, headers } = await visitor.ask('GET', '/readyz');
  return { status, reason: body.detail, retryAfter: headers['retry-after'] };
};

test('it is ready while its database answers', () =>
  withApp(async (test) => {
    const visitor = new Visitor(test);
    expect(await ready(visitor)).toEqual({ status: 200, reason: undefined, retryAfter: undefined });
    const away = vi.spyOn(test.store.jobs, 'get').mockRejectedValue(new Error('away'));
    expect(await ready(visitor)).toMatchObject({ status: 503, reason: expect.stringContaining('database'), retryAfter: '5' });
    away.mockReturnValue(new Promise(() => undefined));
    const beganMs = performance.now();
    expect((await ready(visitor)).status).toBe(503);
    expect(performance.now() - beganMs).toBeGreaterThan(900);
    away.mockRestore();
    expect((await ready(visitor)).status).toBe(200);
  }));

test('while it does not keep up, or ends, nothing is begun, and who asks is told when to come back', () =>
  withApp(async (test) => {
    const visitor = new Visitor(test);
    const owner = await visitor.start();
    for (let second = 0; second < 5; second++) test.load.measured(2 * limits.eventLoopDelayMsMax, 0);
    expect(await ready(visitor)).toMatchObject({ status: 503, reason: expect.stringContaining('overloaded'), retryAfter: '2' });
    const refused = await visitor.ask('GET', '/api/account');
    expect([refused.status, refused.body.code, refused.headers['retry-after'], refused.headers.connection]).toEqual([503, 'busy', '2', 'close']);
    expect((await visitor.ask('GET', '/healthz')).status).toBe(200);
    test.load.measured(0, 0);
    expect((await visitor.ask<{ owner: string }>('GET', '/api/account')).body.owner).toBe(owner);
    test.load.drain();
    expect(await ready(visitor)).toMatchObject({ status: 503, reason: expect.stringContaining('restart') });
    expect((await visitor.ask('POST', '/api/uploads', Buffer.from('x'), { 'content-type': 'application/octet-stream' })).status).toBe(503);
    expect(test.load.underWay).toBe(0);
  }));
