import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { GroupId } from '../../shared/model.ts';
import { codeOf, Group, Groups, inviteLink } from './groups.svelte.ts';

const code = `${'a'.repeat(16)}.${'B'.repeat(43)}`;

describe('an invite link', () => {
  it('carries its code behind the #', () => {
    const link = inviteLink('https://tessera.example', code);
    expect(new URL(link).pathname).toBe('/join');
    expect(codeOf(new URL(link).hash)).toBe(code);
  });

  it.each(['', '#', '#short', `#${code}x`, `#${code.replace('.', '/')}`])('%s is none', (fragment) => {
    expect(codeOf(fragment)).toBeUndefined();
  });
});

describe('groups', () => {
  const asked: [string, string][] = [];
  let answers: (path: string, method: string) => { status?: number; body: unknown };

  beforeEach(() => {
    asked.length = 0;
    vi.stubGlobal('fetch', async (path: string, init: RequestInit) => {
      asked.push([init.method ?? 'GET', path]);
      const { status = 200, body } = answers(path, init.method ?? 'GET');
      return new Response(JSON.stringify(body), { status });
    });
  });
  afterEach(() => vi.unstubAllGlobals());

  it('are listed after a session was made, and again after one was made', async () => {
    const made: unknown[] = [];
    answers = (path, method) => {
      if (path === '/api/session') return { body: { owner: 'device:a', wallet: null, balances: [], jobs: 0 } };
      if (method === 'POST') made.push({ id: 'g_1', name: 'Studio', mine: true, members: 1, createdMs: 1 });
      return { body: method === 'POST' ? made[0] : { groups: made } };
    };
    const groups = new Groups();
    expect(await groups.load()).toBe(true);
    expect(groups.list).toEqual([]);
    groups.name = 'Studio';
    expect(await groups.make()).toBe(true);
    expect(groups.list).toHaveLength(1);
    expect(groups.name).toBe('');
  });

  it('keep a refusal with its limit, and what was typed', async () => {
    answers = () => ({ status: 429, body: { code: 'too_many', detail: 'You have made as many groups as one can.', limit: '20 groups' } });
    const groups = new Groups();
    groups.name = 'One more';
    expect(await groups.make()).toBe(false);
    expect([groups.error?.limit, groups.name, groups.busy]).toEqual(['20 groups', 'One more', false]);
  });

  it('forget the code of an invite that was withdrawn', async () => {
    const invite = { id: 'i_1', createdMs: 1, expiresMs: 2 };
    answers = (path, method) => ({ body: method === 'POST' ? { ...invite, code } : path.startsWith('/api/jobs') ? { jobs: [] } : { people: [], invites: [] } });
    const group = new Group('g_1' as GroupId);
    await group.invite();
    expect(group.made?.code).toBe(code);
    await group.withdraw('i_1');
    expect(group.made).toBe(null);
    expect(asked).toContainEqual(['DELETE', '/api/groups/g_1/invites/i_1']);
  });
});
