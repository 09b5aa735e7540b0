import { Type } from 'typebox';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { GroupId } from '../../shared/model.ts';
import type { WorkloadForm, WorkloadSpec } from '../../shared/workload.ts';
import { ApiError } from '../net/api.ts';
import { session } from '../net/session.svelte.ts';
import { Submission } from './submission.svelte.ts';

const spec = { id: 'double', title: 'Double a number', defaults: { count: 2 } } as unknown as WorkloadSpec;
const form: WorkloadForm = {
  params: Type.Object({ count: Type.Integer({ minimum: 1, maximum: 10 }) }, { additionalProperties: false }),
  sliders: [],
  fields: [
    { kind: 'integer', name: 'count', label: 'Count', help: '' },
    { kind: 'file', name: 'data', label: 'Data', help: '', accept: '.bin', required: false },
    { kind: 'file', name: 'mask', label: 'Mask', help: '', accept: '.mask', required: false },
  ],
};

const quote = { tiles: 4, passes: 1, units: 1, workMicroCredits: '900', checksMicroCredits: '100', holdMicroCredits: '1000', report: [], facts: {} };
const asked: { path: string; body: { params: unknown; checks: unknown; files: unknown } }[] = [];
let answer: () => Response | Promise<Response>;

// Every file is there as soon as it is chosen.
const sends = vi.hoisted(() => ({ upload: async (): Promise<{ hash: string; bytes: number }> => ({ hash: 'a'.repeat(64), bytes: 3 }) }));
vi.mock('../net/upload.ts', () => ({ upload: () => sends.upload() }));

beforeEach(() => {
  vi.useFakeTimers();
  asked.length = 0;
  answer = () => new Response(JSON.stringify(quote));
  vi.stubGlobal('fetch', async (path: string, init: RequestInit) => {
    asked.push({ path, body: JSON.parse(String(init.body)) });
    return answer();
  });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});
const wait = () => vi.advanceTimersByTimeAsync(500);

describe('a job for a group', () => {
  it('goes with its group; one for the group only needs no credits and is not listed', async () => {
    const submission = new Submission(spec, form);
    vi.spyOn(session, 'testMicroCredits', 'get').mockReturnValue(0n);
    submission.set('count', 3);
    await wait();
    submission.title = 'Ours';
    expect(submission.ready).toBe(false);
    submission.chooseGroup('only', 'g_1' as GroupId);
    await wait();
    expect(asked.at(-1)).toMatchObject({ path: '/api/quotes', body: { group: 'g_1', groupMode: 'only' } });
    expect([submission.free, submission.missing, submission.ready]).toEqual([true, null, true]);
    await submission.submit();
    expect(asked.at(-1)).toMatchObject({ path: '/api/jobs', body: { group: 'g_1', groupMode: 'only', visibility: 'unlisted' } });
    submission.chooseGroup('first', 'g_1' as GroupId);
    await wait();
    expect([submission.free, submission.ready]).toEqual([false, false]);
    submission.chooseGroup(null, 'g_1' as GroupId);
    await submission.submit();
    expect(asked.at(-1)!.body).not.toHaveProperty('group');
    expect(asked.at(-1)!.body).not.toHaveProperty('groupMode');
    vi.restoreAllMocks();
  });

  it('that it may not name is refused beside the choice', async () => {
    const submission = new Submission(spec, form);
    submission.chooseGroup('first', 'g_1' as GroupId);
    answer = () => new Response(JSON.stringify({ code: 'bad_input', detail: 'You are in no such group.', field: 'group' }), { status: 422 });
    await submission.submit();
    expect(submission.errors.group).toContain('You are in no such group.');
    expect(submission.problem).toBe(null);
  });
});

describe('paying', () => {
  const balance = { grantMicroCredits: '0', depositedMicroCredits: '0', earnedMicroCredits: '0', vestingMicroCredits: '0' };
  const account = (...own: ({ unit: 'test' | 'credit' } & Partial<typeof balance>)[]) => {
    session.account = { owner: 'wallet:x', wallet: 'x', jobs: 0, balances: own.map((each) => ({ ...balance, ...each })) };
  };
  const known = session.account;
  afterEach(() => {
    // Other tests begin with nothing known, as pages do.
    Object.assign(session, { account: known });
  });

  it('is with test credits unless the account has others and they are chosen', async () => {
    account({ unit: 'test', grantMicroCredits: '5000' });
    const submission = new Submission(spec, form);
    submission.title = 'Mine';
    expect([submission.hasCredits, submission.unit, submission.available]).toEqual([false, 'test', 5000n]);
    submission.payWith('credit');
    expect(submission.unit).toBe('test');
    account(
      { unit: 'test', grantMicroCredits: '5000' },
      { unit: 'credit', depositedMicroCredits: '300', earnedMicroCredits: '200', vestingMicroCredits: '9000' },
    );
    submission.payWith('test');
    submission.set('count', 3);
    await wait();
    expect(asked.at(-1)!.body).not.toHaveProperty('unit');
    expect([submission.hasCredits, submission.unit, submission.ready]).toEqual([true, 'test', true]);
    submission.payWith('credit');
    expect(submission.ready).toBe(false);
    await wait();
    expect(asked.at(-1)).toMatchObject({ path: '/api/quotes', body: { unit: 'credit' } });
    expect([submission.unit, submission.available, submission.missing, submission.ready]).toEqual(['credit', 500n, 500n, false]);
    account({ unit: 'test' }, { unit: 'credit', depositedMicroCredits: '1000' });
    expect(submission.ready).toBe(true);
    await submission.submit();
    expect(asked.at(-1)).toMatchObject({ path: '/api/jobs', body: { unit: 'credit' } });
  });

  it('names no unit where a group computes as a favour', async () => {
    account({ unit: 'credit', earnedMicroCredits: '1000' });
    const submission = new Submission(spec, form);
    submission.payWith('credit');
    submission.chooseGroup('only', 'g_1' as GroupId);
    submission.quoteSoon();
    await wait();
    expect(asked.at(-1)!.body).not.toHaveProperty('unit');
  });
});

describe('Submission', () => {
  it('starts with the defaults and asks for no price before anything was touched', async () => {
    const submission = new Submission(spec, form);
    await wait();
    expect(submission.params).toEqual({ count: 2 });
    expect(asked).toEqual([]);
  });

  it('asks once for many keystrokes', async () => {
    const submission = new Submission(spec, form);
    for (const count of [3, 4, 5]) submission.set('count', count);
    await wait();
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatchObject({
      path: '/api/quotes',
      body: { workload: 'double', params: { count: 5 }, checks: { targetError: 1e-4 } },
    });
    expect(submission.quote).toEqual(quote);
  });

  it.each([
    ['draft', 1e-3],
    ['strict', 1e-5],
  ] as const)('orders the certainty that was chosen: %s', async (certainty, targetError) => {
    const submission = new Submission(spec, form);
    submission.certainty = certainty;
    submission.quoteSoon();
    await wait();
    expect(asked[0]?.body.checks).toEqual({ targetError });
  });

  it('asks nothing while a field is wrong', async () => {
    const submission = new Submission(spec, form);
    submission.set('count', 11);
    await wait();
    expect(submission.errors).toEqual({ count: 'At most 10.' });
    expect(asked).toEqual([]);
  });

  it('shows a refusal beside its field, and drops it with the next change', async () => {
    answer = () => new Response(JSON.stringify({ code: 'bad_input', detail: 'Not a .bin.', field: 'files.data' }), { status: 422 });
    const submission = new Submission(spec, form);
    submission.quoteSoon();
    await wait();
    expect(submission.errors).toEqual({ data: 'Not a .bin.' });
    expect(submission.problem).toBeNull();
    submission.set('count', 3);
    expect(submission.errors).toEqual({});
  });

  it('shows a refusal that names no field above the price', async () => {
    answer = () => new Response(JSON.stringify({ code: 'busy', detail: 'Too many quotes at once.' }), { status: 503 });
    const submission = new Submission(spec, form);
    submission.quoteSoon();
    await wait();
    expect(submission.problem?.message).toBe('Too many quotes at once.');
  });

  it('uploads a file, takes its name as the title, and quotes with its hash', async () => {
    const submission = new Submission(spec, form);
    await submission.attach('data', new File(['abc'], 'weights.bin'));
    expect(submission.title).toBe('weights');
    await wait();
    expect(asked[0]?.body.files).toEqual({ data: 'a'.repeat(64) });
    expect(submission.ready).toBe(true);
  });

  it('sends every file under its field, and takes the title of the first alone', async () => {
    const submission = new Submission(spec, form);
    await submission.attach('mask', new File(['ab'], 'some.mask'));
    expect(submission.title).toBe('');
    await submission.attach('data', new File(['abc'], 'weights.bin'));
    expect(submission.title).toBe('weights');
    await wait();
    expect(asked.at(-1)?.body.files).toEqual({ data: 'a'.repeat(64), mask: 'a'.repeat(64) });
  });

  it('keeps the last price while another is asked for, which cannot be ordered', async () => {
    const submission = new Submission(spec, form);
    submission.title = 'Mine';
    submission.set('count', 3);
    await wait();
    expect([submission.stale, submission.ready]).toEqual([false, true]);
    submission.set('count', 4);
    expect([submission.quote, submission.stale, submission.ready]).toEqual([quote, true, false]);
    await wait();
    expect([submission.stale, submission.ready]).toEqual([false, true]);
    answer = () => new Response(JSON.stringify({ error: { code: 'busy', message: 'Later.' } }), { status: 503 });
    submission.set('count', 5);
    await wait();
    expect(submission.quote).toBeNull();
  });

  it('takes several parameters at once, and leaves those out that are undefined', async () => {
    const submission = new Submission(spec, form);
    submission.patch({ count: 5, view: { position: 1 } });
    submission.patch({ view: undefined });
    await wait();
    expect(asked.map(({ body }) => body.params)).toEqual([{ count: 5 }]);
    expect('view' in submission.params).toBe(false);
  });

  it('starts with the first file, or with an example in place of all that was chosen', async () => {
    const submission = new Submission(spec, form);
    expect(submission.started).toBe(false);
    await submission.attachAll(new Map([['mask', new File(['ab'], 'some.mask')]]));
    expect(submission.started).toBe(true);
    submission.set('count', 9);
    await submission.begin({ title: 'Example', params: { count: 7 }, files: { data: new File(['abc'], 'Example') } });
    expect([submission.title, Object.keys(submission.files), submission.params]).toEqual(['Example', ['data'], { count: 7 }]);
    await wait();
    expect(asked.at(-1)?.body).toMatchObject({ params: { count: 7 }, files: { data: 'a'.repeat(64) } });
  });

  it('can begin without a file where none is needed, under the name of what it does', async () => {
    const submission = new Submission(spec, form);
    expect([submission.started, submission.startsPlain]).toEqual([false, true]);
    submission.beginPlain();
    await wait();
    expect([submission.started, submission.title, submission.ready]).toEqual([true, 'Double a number', true]);
    expect(asked.at(-1)?.body.files).toEqual({});
  });

  it('asks for no price before the files are there that are needed', async () => {
    const needy: WorkloadForm = { ...form, fields: form.fields.map((field) => (field.kind === 'file' ? { ...field, required: true } : field)) };
    const submission = new Submission(spec, needy);
    expect(submission.startsPlain).toBe(false);
    await submission.attach('data', new File(['abc'], 'weights.bin'));
    await wait();
    expect([asked.length, submission.needed.map(({ label }) => label), submission.ready]).toEqual([0, ['Mask'], false]);
    await submission.attach('mask', new File(['ab'], 'some.mask'));
    await wait();
    expect([asked.length, submission.needed, submission.ready]).toEqual([1, [], true]);
    await submission.attach('mask', null);
    expect([submission.ready, submission.needed.length]).toEqual([false, 1]);
  });

  it('counts a field that is hidden with its default, and keeps what it said', async () => {
    const conditional: WorkloadForm = {
      params: Type.Object({ from: Type.String(), count: Type.Integer({ maximum: 10 }) }, { additionalProperties: false }),
      sliders: [],
      fields: [
        { kind: 'choice', name: 'from', label: '', help: '', options: [] },
        { kind: 'integer', name: 'count', label: '', help: '', when: { field: 'from', is: ['number'] } },
        { kind: 'file', name: 'data', label: 'Data', help: '', accept: '.bin', required: true, when: { field: 'from', is: ['file'] } },
      ],
    };
    const submission = new Submission({ ...spec, defaults: { from: 'number', count: 2 } } as WorkloadSpec, conditional);
    submission.set('count', 11);
    expect(Object.keys(submission.errors)).toEqual(['count']);
    // A file shows its field, and hides the wrong number.
    await submission.attachAll(new Map([['data', new File(['abc'], 'weights.bin')]]));
    await wait();
    expect([submission.errors, submission.title]).toEqual([{}, 'weights']);
    expect(asked.at(-1)?.body).toMatchObject({ params: { from: 'file', count: 2 }, files: { data: 'a'.repeat(64) } });
    submission.patch({ from: 'number' });
    expect(submission.errors).toEqual({ count: 'At most 10.' });
    submission.set('count', 7);
    await wait();
    expect(asked.at(-1)?.body).toMatchObject({ params: { from: 'number', count: 7 }, files: {} });
  });

  it('tells how much of all files has been sent, and sends one again that was refused', async () => {
    const submission = new Submission(spec, form);
    const { upload } = sends;
    sends.upload = () => Promise.reject(new ApiError('busy', 'Later.'));
    const sending = submission.attach('data', new File(['abc'], 'weights.bin'));
    expect(submission.sending).toBe(0);
    await sending;
    expect([submission.sending, submission.files.data?.error?.code]).toEqual([null, 'busy']);
    await wait();
    expect(asked).toEqual([]);
    sends.upload = upload;
    await submission.send('data');
    await wait();
    expect(asked).toHaveLength(1);
    expect(submission.files.data?.error).toBeNull();
  });

  it('orders the price that was promised, and asks again when the promise ends', async () => {
    const expiresMs = Date.now() + 600_000;
    answer = () => new Response(JSON.stringify({ ...quote, id: 'q_0123456789abcdef', expiresMs }));
    const submission = new Submission(spec, form);
    submission.title = 'Mine';
    submission.set('count', 3);
    await wait();
    await vi.advanceTimersByTimeAsync(599_000 - 500);
    expect(asked).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(asked).toHaveLength(2);
    await submission.submit();
    expect(asked.at(-1)).toMatchObject({ path: '/api/jobs', body: { quote: 'q_0123456789abcdef' } });
    submission.close();
  });

  it('refuses a title that is too long, counted as the coordinator counts', () => {
    const submission = new Submission(spec, form);
    submission.title = '😀'.repeat(80);
    expect(submission.errors).toEqual({});
    submission.title += 'x';
    expect(submission.errors).toEqual({ title: 'At most 80 characters.' });
    expect(submission.drawable).toBe(true);
  });

  it('is ready only with a price, a title and enough credits', async () => {
    const submission = new Submission(spec, form);
    submission.quoteSoon();
    await wait();
    expect(submission.ready).toBe(false);
    submission.title = 'Mine';
    expect(submission.ready).toBe(true);
    session.account = {
      owner: 'device:x',
      wallet: null,
      jobs: 0,
      balances: [{ unit: 'test', grantMicroCredits: '600', depositedMicroCredits: '0', earnedMicroCredits: '100', vestingMicroCredits: '900' }],
    };
    expect(submission.missing).toBe(300n);
    expect(submission.ready).toBe(false);
  });
});
