import { afterEach, describe, expect, it, vi } from 'vitest';
import { HOUR_MS, MIB } from '../../shared/limits.ts';
import type { ConsentGrant, ConsentView } from '../../shared/schemas.ts';
import type { Snapshot } from '../engine/api.ts';
import { capChoices } from './download.ts';
import { covers, obtainConsent } from './identity.ts';
import { deviceName, notAccepted, statusOf } from './status.ts';
import { supportOf } from './support.ts';

afterEach(() => vi.unstubAllGlobals());

describe('supportOf', () => {
  it('names both addresses that would work when the page is not secure', () => {
    expect(supportOf(false, false, { hostname: '192.168.1.5', port: '8080' })).toEqual({
      kind: 'insecure',
      message: 'WebGPU exists only on https or localhost: open this page as https://192.168.1.5 or on this machine as http://localhost:8080.',
    });
  });

  it('tells a browser without WebGPU from one that has it', () => {
    expect(supportOf(true, false, { hostname: 'localhost', port: '' }).kind).toBe('unsupported');
    expect(supportOf(true, true, { hostname: 'localhost', port: '' }).kind).toBe('ready');
  });
});

const grant = (over: Partial<ConsentView> = {}): ConsentGrant =>
  ({
    consent: { id: 'k_1', kinds: ['render'], site: null, siteName: null, grantedMs: 0, expiresMs: 1e15, revokedMs: null, ...over },
    contributor: { id: 'c_1', secret: 's' },
  }) as unknown as ConsentGrant;

describe('covers', () => {
  it('accepts a consent of this site for these workloads with an hour left', () => {
    expect(covers(grant(), ['render'], 0)).toBe(true);
    expect(covers(grant(), ['render', 'other'], 0)).toBe(false);
    expect(covers(grant({ revokedMs: 1 }), ['render'], 0)).toBe(false);
    expect(covers(grant({ expiresMs: HOUR_MS - 1 }), ['render'], 0)).toBe(false);
    expect(covers(grant({ site: 's_1' as never }), ['render'], 0)).toBe(false);
  });
});

describe('obtainConsent', () => {
  /** A browser that remembers `remembered`, and a coordinator that answers by path. */
  function world(remembered: ConsentGrant | null, routes: Record<string, () => Response>) {
    const storage = new Map(remembered ? [['tessera.contributor', JSON.stringify(remembered)]] : []);
    vi.stubGlobal('localStorage', { getItem: (key: string) => storage.get(key) ?? null, setItem: (key: string, value: string) => storage.set(key, value) });
    const asked: { path: string; body: unknown }[] = [];
    vi.stubGlobal('fetch', async (path: string, init: RequestInit) => {
      asked.push({ path, body: init.body ? JSON.parse(String(init.body)) : null });
      return routes[path]?.() ?? new Response('{}', { status: 404 });
    });
    return { asked, storage };
  }
  const json =
    (body: unknown, status = 200) =>
    () =>
      new Response(JSON.stringify(body), { status });

  it('asks for a first one, and remembers it', async () => {
    const { asked, storage } = world(null, { '/api/consents': json(grant()) });
    await obtainConsent(['render']);
    expect(asked).toEqual([{ path: '/api/consents', body: { kinds: ['render'], site: null } }]);
    expect(JSON.parse(storage.get('tessera.contributor') ?? '')).toEqual(grant());
  });

  it('uses the earlier one while the coordinator says it is valid', async () => {
    const { asked } = world(grant(), { '/api/contributors/me': json({ earnedMicroCredits: '0', consents: [grant().consent] }) });
    expect(await obtainConsent(['render'])).toEqual(grant());
    expect(asked).toHaveLength(1);
  });

  it('renews a revoked one for the same contributor, so that earnings go on', async () => {
    const { asked } = world(grant(), {
      '/api/contributors/me': json({ earnedMicroCredits: '0', consents: [grant({ revokedMs: 5 }).consent] }),
      '/api/consents': json(grant()),
    });
    await obtainConsent(['render']);
    expect(asked[1]?.body).toEqual({ kinds: ['render'], site: null, contributor: { id: 'c_1', secret: 's' } });
  });

  it('starts anew where the contributor is unknown', async () => {
    const { asked } = world(grant(), {
      '/api/contributors/me': json({ code: 'forbidden', detail: 'Unknown.' }, 403),
      '/api/consents': json(grant()),
    });
    await obtainConsent(['render']);
    expect(asked[1]?.body).toEqual({ kinds: ['render'], site: null });
  });

  it('keeps the identity when the coordinator cannot be reached', async () => {
    const { storage } = world(grant(), {});
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('Failed to fetch')));
    await expect(obtainConsent(['render'])).rejects.toMatchObject({ code: 'offline' });
    expect(storage.size).toBe(1);
  });
});

describe('statusOf', () => {
  const snapshot = (over: Partial<Snapshot>): Snapshot => ({ mode: 'working', online: true, waiting: false, ...over }) as Snapshot;

  it('has a heading for every state', () => {
    expect(statusOf('starting', null, false).title).toBe('Starting');
    expect(statusOf('running', snapshot({ mode: 'connecting', online: false }), false).title).toBe('Connecting');
    expect(statusOf('running', snapshot({}), false).title).toBe('Your GPU is working');
    expect(statusOf('running', snapshot({ mode: 'paused', holds: ['owner'] }), false)).toEqual({ title: 'Paused', detail: 'You pressed Pause.' });
    expect(statusOf('running', snapshot({ mode: 'paused', holds: ['battery', 'hours'] }), false).detail).toMatch(/on battery.*your hours/);
    expect(statusOf('running', snapshot({ waiting: true, restMs: 0 }), false).detail).toContain('No job needs this GPU');
    expect(statusOf('running', snapshot({ waiting: true, restMs: 14_200 }), false).detail).toContain('nothing for 15 s');
    expect(statusOf('running', snapshot({ waiting: true }), false, 'Power is out.')).toEqual({
      title: 'The operator has paused the network',
      detail: 'Nothing is given out until it goes on; then this begins by itself. Reason given: Power is out.',
    });
    expect(statusOf('running', snapshot({}), false, 'Power is out.').title).toBe('Your GPU is working');
    expect(statusOf('stopping', snapshot({}), false).title).toBe('Stopping');
  });

  it('does not promise work to a browser that gets none', () => {
    expect(statusOf('running', snapshot({ waiting: true }), true)).toMatchObject({
      title: 'No work for this browser',
      detail: expect.stringContaining('24 hours'),
    });
    expect(statusOf('running', snapshot({}), true).title).toBe('Your GPU is working');
  });

  it('names what was not accepted', () => {
    expect(notAccepted({ handedIn: 9, accepted: 6, refuted: 1, discarded: 2 })).toBe('1 refuted, 2 not judged');
    expect(notAccepted({ handedIn: 9, accepted: 9, refuted: 0, discarded: 0 })).toBe('');
  });

  it('says that tiles in hand are safe while the coordinator is away', () => {
    expect(statusOf('running', snapshot({ online: false }), false)).toMatchObject({ title: 'Reconnecting', detail: expect.stringContaining('computed on') });
  });
});

it('offers four sizes, and one that was chosen elsewhere', () => {
  expect(capChoices(256 * MIB).map(({ label }) => label)).toEqual(['64 MiB', '256 MiB', '1 GiB', '4 GiB']);
  expect(capChoices(300 * MIB).map(({ label }) => label)).toEqual(['64 MiB', '256 MiB', '300 MiB', '1 GiB', '4 GiB']);
});

it('names a device by what the browser tells', () => {
  const device = { vendor: 'nvidia', architecture: 'hopper', backend: '', description: '', software: false };
  expect(deviceName(device)).toBe('nvidia hopper');
  expect(deviceName({ ...device, vendor: '', architecture: '' })).toBe('A GPU that the browser does not name');
  expect(deviceName({ ...device, description: 'SwiftShader', software: true })).toBe('SwiftShader (software renderer)');
});
