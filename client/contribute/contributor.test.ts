import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { limits, MIB } from '../../shared/limits.ts';
import type { EngineListeners, Snapshot } from '../engine/api.ts';

/** A browser with one adapter and a coordinator that grants consents; the engine is a script of snapshots. */
const engine = {
  pause: vi.fn(),
  resume: vi.fn(),
  setPower: vi.fn(),
  setPreferences: vi.fn(async () => undefined),
  setDownloadMax: vi.fn(),
  setYieldsToOthers: vi.fn(),
  stop: vi.fn(),
};
const openEngine = vi.fn(async (_settings: object, _listeners: EngineListeners) => engine);
vi.mock('../engine/host.ts', () => ({ openEngine }));
const holdEngine = vi.fn(async () => 'held');
vi.mock('../net/engine-lock.ts', () => ({ ENGINE_LOCK: 'engine', holdEngine }));
const guard = { holds: ['battery'], keep: vi.fn(), set: vi.fn(), take: vi.fn(), close: vi.fn() };
const openGuard = vi.fn(async () => guard);
vi.mock('../comfort/guard.ts', () => ({ Guard: { open: () => openGuard() } }));

const requestAdapter = vi.fn();
const fetched: string[] = [];
const consent = { id: 'k_1', kinds: ['render'], site: null, siteName: null, grantedMs: 0, expiresMs: 1e15, revokedMs: null };

beforeEach(() => {
  vi.resetModules();
  vi.clearAllMocks();
  fetched.length = 0;
  requestAdapter.mockResolvedValue({ info: { isFallbackAdapter: false, architecture: 'hopper', description: '' } });
  vi.stubGlobal('navigator', { gpu: { requestAdapter } });
  vi.stubGlobal('location', { origin: 'https://tessera.example' });
  vi.stubGlobal('localStorage', { getItem: () => null, setItem: () => undefined });
  vi.stubGlobal('fetch', async (path: string) => {
    fetched.push(path);
    return new Response(JSON.stringify({ consent, contributor: { id: 'c_1', secret: 's' } }));
  });
});
afterEach(() => vi.unstubAllGlobals());

const fresh = async () => (await import('./contributor.svelte.ts')).contributor;
const tell = (over: Partial<Snapshot>) =>
  openEngine.mock.calls[0]?.[1].onState({ mode: 'working', online: true, error: null, reason: null, ...over } as Snapshot);

describe('contributing', () => {
  it('asks nothing of GPU, network or worker before the yes', async () => {
    const contributor = await fresh();
    expect(contributor.phase).toBe('idle');
    expect(requestAdapter).not.toHaveBeenCalled();
    expect(fetched).toEqual([]);
    expect(openEngine).not.toHaveBeenCalled();
  });

  it('runs with the consent it got, and stops', async () => {
    const contributor = await fresh();
    await contributor.start();
    expect(contributor.phase).toBe('running');
    expect(openEngine.mock.calls[0]?.[0]).toMatchObject({
      origin: 'https://tessera.example',
      kinds: ['render'],
      identity: { consent: 'k_1' },
      holds: ['battery'],
    });
    expect(guard.keep).toHaveBeenCalledExactlyOnceWith(engine);
    await contributor.stop();
    expect(guard.close).toHaveBeenCalled();
    expect(engine.stop).toHaveBeenCalledOnce();
    expect(contributor.phase).toBe('idle');
  });

  it('starts once, however often the button is pressed', async () => {
    const contributor = await fresh();
    await Promise.all([contributor.start(), contributor.start()]);
    expect(openEngine).toHaveBeenCalledOnce();
  });

  it('does not start beside another tab, and takes its place where that is wanted', async () => {
    holdEngine.mockResolvedValueOnce('taken');
    const contributor = await fresh();
    await contributor.start();
    expect(contributor.phase).toBe('elsewhere');
    expect(openEngine).not.toHaveBeenCalled();
    await contributor.start({ instead: true });
    expect(holdEngine.mock.calls.at(-1)?.at(2)).toMatchObject({ steal: true });
    expect(contributor.phase).toBe('running');
  });

  it('opens no engine when another tab takes its place before that', async () => {
    const contributor = await fresh();
    openGuard.mockImplementationOnce(async () => {
      const options = holdEngine.mock.calls.at(-1)?.at(2) as unknown as { lost: () => void } | undefined;
      options?.lost();
      await new Promise((resolve) => setTimeout(resolve));
      return guard;
    });
    await contributor.start();
    expect(contributor.phase).toBe('ended');
    expect(openEngine).not.toHaveBeenCalled();
    expect(guard.close).toHaveBeenCalled();
  });

  it('stops an engine that another tab has replaced before it was open', async () => {
    const contributor = await fresh();
    openEngine.mockImplementationOnce(async () => {
      const options = holdEngine.mock.calls.at(-1)?.at(2) as unknown as { lost: () => void } | undefined;
      options?.lost();
      await new Promise((resolve) => setTimeout(resolve));
      return engine;
    });
    await contributor.start();
    expect(contributor.ending?.title).toBe('Sharing goes on in another tab');
    expect(engine.stop).toHaveBeenCalledOnce();
    expect(contributor.guard).toBeNull();
  });

  it('waits for a second yes where there is only a software renderer', async () => {
    requestAdapter.mockResolvedValue({ info: { isFallbackAdapter: true, architecture: '', description: '' } });
    const contributor = await fresh();
    await contributor.start();
    expect(contributor.phase).toBe('software');
    expect(fetched).toEqual([]);
    await contributor.stop();
    expect(contributor.phase).toBe('idle');
    await contributor.start();
    await contributor.startWithSoftware();
    expect(contributor.phase).toBe('running');
  });

  it('ends in words where there is no adapter', async () => {
    requestAdapter.mockResolvedValue(null);
    const contributor = await fresh();
    await contributor.start();
    expect(contributor.phase).toBe('ended');
    expect(contributor.ending?.title).toBe('The GPU cannot be used');
  });

  it('ends in words where the coordinator cannot be reached', async () => {
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('Failed to fetch')));
    const contributor = await fresh();
    await contributor.start();
    expect(contributor.ending).toMatchObject({ title: 'Sharing could not start', message: expect.stringContaining('No connection') });
  });

  it.each([
    ['stale', 'This page is out of date', true],
    ['suspended', 'The coordinator has suspended this browser', false],
    ['gpu', 'The GPU cannot be used', false],
  ] as const)('says why the engine failed: %s', async (kind, title, reload) => {
    const contributor = await fresh();
    await contributor.start();
    tell({ mode: 'failed', error: { kind, message: 'Because.' } });
    expect(contributor.ending).toEqual({ title, message: 'Because.', reload });
    expect(contributor.active).toBe(false);
  });

  it('says when the consent was withdrawn elsewhere', async () => {
    const contributor = await fresh();
    await contributor.start();
    tell({ mode: 'stopped', reason: 'The consent was withdrawn.' });
    expect(contributor.ending).toMatchObject({ title: 'Sharing has stopped', message: 'The consent was withdrawn.' });
  });

  it('pauses, resumes and keeps the power for the next start', async () => {
    const contributor = await fresh();
    await contributor.setComfort({ powerPercent: 40 });
    await contributor.start();
    expect(openEngine.mock.calls[0]?.[0]).toMatchObject({ powerPercent: 40 });
    await contributor.togglePause();
    expect(engine.pause).toHaveBeenCalledOnce();
    tell({ mode: 'paused', holds: ['owner'] });
    await contributor.togglePause();
    expect(engine.resume).toHaveBeenCalledOnce();
  });

  it('takes the largest download from what this browser remembers, tells the engine, and remembers a change', async () => {
    const storage = new Map([['tessera.downloadBytesMax', String(64 * MIB)]]);
    vi.stubGlobal('localStorage', { getItem: (key: string) => storage.get(key) ?? null, setItem: (key: string, value: string) => storage.set(key, value) });
    const contributor = await fresh();
    await contributor.start();
    expect(openEngine.mock.calls[0]?.[0]).toMatchObject({ downloadBytesMax: 64 * MIB });
    await contributor.setDownloadMax(1024 * MIB);
    expect(engine.setDownloadMax).toHaveBeenCalledWith(1024 * MIB);
    expect((await fresh()).downloadBytesMax).toBe(1024 * MIB);
  });

  it.each(['', 'NaN', '-1', '0', '1e99', '1048576.5', String(4096 * MIB + 1)])('keeps the default where storage holds %j', async (text) => {
    vi.stubGlobal('localStorage', { getItem: () => text, setItem: () => undefined });
    expect((await fresh()).downloadBytesMax).toBe(limits.downloadBytesDefault);
  });

  it('keeps the default where storage is switched off, and a choice while the page is open', async () => {
    const off = () => {
      throw new DOMException('denied', 'SecurityError');
    };
    vi.stubGlobal('localStorage', { getItem: off, setItem: off });
    const contributor = await fresh();
    expect(contributor.downloadBytesMax).toBe(limits.downloadBytesDefault);
    await contributor.setDownloadMax(64 * MIB);
    expect(contributor.downloadBytesMax).toBe(64 * MIB);
  });

  it('keeps the reason when something was proven wrong, also beside what is dropped because of it', async () => {
    const contributor = await fresh();
    await contributor.start();
    const onTile = openEngine.mock.calls[0]?.[1].onTile;
    const fact = (step: string, reason: string) =>
      onTile?.({ step, reason, voidedMicroCredits: '0', job: { id: 'j_1' }, at: { pass: 0, tile: 0 }, parts: 1 } as never);
    expect(contributor.badNews).toBeNull();
    fact('discarded', 'It was not opened in time.');
    expect(contributor.badNews).toEqual({ verdict: 'discarded', reason: 'It was not opened in time.' });
    fact('refuted', '90 of 640 were wrong.');
    fact('discarded', 'Another result was proven wrong.');
    expect(contributor.badNews).toEqual({ verdict: 'refuted', reason: '90 of 640 were wrong.' });
    expect(contributor.suspended).toBe(true);
    tell({ mode: 'failed', error: { kind: 'suspended', message: 'Because.' } });
    expect(contributor.badNews?.verdict).toBe('refuted');
    await contributor.start();
    expect(contributor.badNews).toBeNull();
    expect(contributor.suspended).toBe(false);
  });

  it('tells the engine whose jobs are wanted, at the start and when that changes, and remembers it', async () => {
    const storage = new Map<string, string>();
    vi.stubGlobal('localStorage', { getItem: (key: string) => storage.get(key) ?? null, setItem: (key: string, value: string) => storage.set(key, value) });
    const contributor = await fresh();
    await contributor.start();
    expect(openEngine.mock.calls[0]?.[0]).toMatchObject({ preferences: { groupsOnly: false, ownFirst: true, blocked: [] } });
    const blocked = [{ requester: 'AAAAAAAAAAAA', title: 'Kitchen' }];
    await contributor.choose({ ...contributor.choices, groupsOnly: true, blocked });
    expect(engine.setPreferences).toHaveBeenCalledWith({ groupsOnly: true, ownFirst: true, blocked: ['AAAAAAAAAAAA'] });
    expect(JSON.parse(storage.get('tessera.choices') ?? '')).toMatchObject({ groupsOnly: true, blocked });
  });

  it('counts the tiles that it computed for a group as thanks, each once', async () => {
    const contributor = await fresh();
    await contributor.start();
    const onTile = openEngine.mock.calls[0]?.[1].onTile;
    const fact = (tile: number, step: string, group?: string) => onTile?.({ step, job: { id: 'j_1', group }, at: { pass: 0, tile }, parts: 1 } as never);
    fact(1, 'accepted', 'Studio');
    fact(1, 'accepted', 'Studio');
    fact(2, 'refuted', 'Studio');
    fact(3, 'accepted', 'Studio');
    fact(4, 'accepted', 'Class');
    fact(5, 'accepted');
    expect(contributor.thanks).toEqual([
      { group: 'Studio', tiles: 2 },
      { group: 'Class', tiles: 1 },
    ]);
  });

  it('remembers the accepted tiles of the job last worked on', async () => {
    const contributor = await fresh();
    await contributor.start();
    const onTile = openEngine.mock.calls[0]?.[1].onTile;
    const fact = (job: string, tile: number, step: string) => onTile?.({ step, job: { id: job }, at: { pass: 0, tile }, parts: 1 } as never);
    fact('j_1', 1, 'accepted');
    fact('j_1', 2, 'handedIn');
    expect(contributor.ownTiles('j_1' as never)).toEqual([{ pass: 0, tile: 1 }]);
    fact('j_2', 3, 'accepted');
    expect(contributor.ownTiles('j_1' as never)).toEqual([]);
    expect(contributor.ownTiles('j_2' as never)).toEqual([{ pass: 0, tile: 3 }]);
  });
});
