import { afterEach, describe, expect, it, vi } from 'vitest';
import type { ContributorId } from '../../shared/model.ts';
import { api } from './api.ts';
import { PagedList } from './paged-list.svelte.ts';

afterEach(() => vi.unstubAllGlobals());

describe('PagedList', () => {
  const asked: [string, string | undefined][] = [];
  const answer = (pages: Record<string, unknown>) => {
    asked.length = 0;
    vi.stubGlobal('fetch', async (path: string, init: { headers?: Record<string, string> }) => {
      asked.push([path, init.headers?.authorization]);
      const page = pages[path];
      return page ? new Response(JSON.stringify(page)) : new Response('{}', { status: 500 });
    });
  };

  it('fetches page after page of a contributor with its own secret', async () => {
    const path = '/api/contributors/me/results';
    answer({ [path]: { rows: [{ id: 'r_3' }, { id: 'r_2' }], next: 'r_2' }, [`${path}?cursor=r_2`]: { rows: [{ id: 'r_1' }], next: null } });
    const history = new PagedList((cursor) => api.history({ id: 'c_1' as ContributorId, secret: 'secret' }, cursor));
    await history.more();
    expect(history.hasMore).toBe(true);
    await history.more();
    expect(history.rows?.map(({ id }) => id)).toEqual(['r_3', 'r_2', 'r_1']);
    expect(history.hasMore).toBe(false);
    expect(asked[0]).toEqual([path, 'Contributor c_1.secret']);
    await history.refresh();
    expect(history.rows).toHaveLength(2);
  });

  it('asks for all of the account by its session, and keeps the rows it has when a page fails', async () => {
    answer({ '/api/account/results': { rows: [{ id: 'r_3' }], next: 'r_3' } });
    const history = new PagedList((cursor) => api.history(null, cursor));
    await history.more();
    await history.more();
    expect(asked.map(([path]) => path)).toEqual(['/api/account/results', '/api/account/results?cursor=r_3']);
    expect(history.error?.code).toBe('internal');
    expect([history.rows?.length, history.hasMore]).toEqual([1, true]);
  });
});
