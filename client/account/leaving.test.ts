import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { AccountView } from '../../shared/schemas.ts';
import { session } from '../net/session.svelte.ts';
import { Leaving } from './leaving.svelte.ts';

const balance = (unit: 'test' | 'credit', earned: string, vesting: string) => ({
  ...{ unit, grantMicroCredits: '0', depositedMicroCredits: '0', earnedMicroCredits: earned, vestingMicroCredits: vesting },
});
const account = (...balances: AccountView['balances']): AccountView => ({ owner: 'device:0123456789abcdef', wallet: null, balances, jobs: 0 });

let asked: [method: string, path: string, body: unknown][];
let answers: Response[];
let kept: Record<string, string>;
const refused = (code: string, field: string, limit: string) =>
  new Response(JSON.stringify({ code, detail: 'No.', field, limit }), { status: code === 'signed_out' ? 401 : 409 });

beforeEach(() => {
  asked = [];
  answers = [];
  kept = { 'tessera.contributor': '{}', 'tessera.wallet': 'Phantom', elsewhere: 'stays' };
  const removeItem = (key: string) => delete kept[key];
  // Its keys are its properties, as a browser's storage has them.
  vi.stubGlobal('localStorage', new Proxy(kept, { get: (target, key) => (key === 'removeItem' ? removeItem : target[String(key)]) }));
  vi.stubGlobal('fetch', async (path: string, { method = 'GET', body }: { method?: string; body?: string }) => {
    asked.push([method, path, body && JSON.parse(body)]);
    return answers.shift() ?? new Response('{}', { status: 200 });
  });
});
afterEach(() => vi.unstubAllGlobals());

describe('deleting one’s data', () => {
  it('needs a yes, and forgets what the browser keeps once it is done', async () => {
    session.account = account(balance('test', '5', '0'));
    const leaving = new Leaving();
    await leaving.confirm();
    expect([asked, leaving.asksForfeit]).toEqual([[], false]);
    leaving.understood = true;
    await leaving.confirm();
    expect(asked).toEqual([['DELETE', '/api/account', { forfeit: false }]]);
    expect([session.account, session.isDeleted, leaving.error]).toEqual([null, true, null]);
    expect(kept).toEqual({ elsewhere: 'stays' });
    answers = [new Response(JSON.stringify(account(balance('test', '0', '0'))), { status: 200 })];
    await session.refresh();
    expect([session.account !== null, session.isDeleted]).toEqual([true, false]);
  });

  it('wants real credits to be given up by name, vesting ones too', async () => {
    session.account = account(balance('test', '5', '0'), balance('credit', '0', '7'));
    const leaving = new Leaving();
    expect([leaving.asksForfeit, leaving.left]).toEqual([true, { spendable: 0n, vesting: 7n }]);
    leaving.understood = true;
    expect(leaving.valid).toBe(false);
    leaving.forfeits = true;
    await leaving.confirm();
    expect(asked).toEqual([['DELETE', '/api/account', { forfeit: true }]]);
    leaving.close();
    expect([leaving.understood, leaving.forfeits]).toEqual([false, false]);
  });

  it('says what stands in the way and keeps everything; credits that only the coordinator knows of are asked for then', async () => {
    session.account = account(balance('test', '5', '0'));
    const leaving = new Leaving();
    leaving.understood = true;
    answers = [refused('conflict', 'jobs', '2 open'), refused('conflict', 'forfeit', '1.00 credits to spend, 0.00 vesting')];
    await leaving.confirm();
    expect([leaving.error?.field, leaving.asksForfeit, session.account !== null]).toEqual(['jobs', false, true]);
    await leaving.confirm();
    expect([leaving.asksForfeit, leaving.valid, leaving.busy]).toEqual([true, false, false]);
    expect(Object.keys(kept)).toHaveLength(3);
  });

  it('is done when an answer was lost and the session is gone', async () => {
    session.account = account(balance('test', '5', '0'));
    const leaving = new Leaving();
    leaving.understood = true;
    answers = [refused('signed_out', '', '')];
    await leaving.confirm();
    expect([session.account, leaving.error]).toEqual([null, null]);
  });
});
