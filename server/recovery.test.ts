import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { limits, MINUTE_MS } from '../shared/limits.ts';
import { hits } from './caps.ts';
import { CommitFailed, Coordinator, Overloaded } from './coordinator.ts';
import { spec } from './formula.testing.ts';
import { Visitor, withApp } from './http/testing.ts';
import { openBlobStore } from './store/blobs.ts';
import { openSqliteStore } from './store/sqlite.ts';
import type { Store } from './store/store.ts';
import { exampleJob, temporaryFolder } from './store/testing.ts';

/** A store that fails for a while. */

let folder: ReturnType<typeof temporaryFolder>;
let store: Store;
let coordinator: Coordinator;
const logged: string[] = [];
const job = { ...exampleJob(), workload: spec.id, version: spec.version, workHeld: 0n, checksHeld: 0n, heldFrom: [], status: 'open' as const };

beforeEach(async () => {
  folder = temporaryFolder();
  store = await openSqliteStore(folder.path);
  await store.jobs.create(job, []);
  const log = { info: () => undefined, error: (_fields: object, message: string) => void logged.push(message) };
  const deps = { store, blobs: openBlobStore(folder.path), checks: { ask: () => new Promise<never>(() => undefined) }, log };
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  coordinator = await Coordinator.open({
    ...deps,
    spec: () => spec,
    privateSwarm: true,
    vestingMsMax: 0,
    holdbackMs: 0,
    clock: Date.now,
    random: randomBytes,
  });
});
afterEach(async () => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  await coordinator.close();
  await store.close();
  folder.remove();
});

const pause = (paused: boolean) => coordinator.dispatch({ type: 'pauseJob', job: job.id, paused });
const away = (code: string) => Object.assign(new Error('away'), { code });

test('a commit that fails once delays nobody', async () => {
  vi.spyOn(store, 'commit').mockRejectedValueOnce(away('SQLITE_FULL'));
  await expect(pause(true)).rejects.toBeInstanceOf(CommitFailed);
  await vi.waitFor(() => expect(coordinator.isRecovering).toBe(false));
  await pause(true);
  expect((await store.jobs.get(job.id))?.paused).toBe(true);
});

test('a database that is away for a minute: every command is refused, nothing is lost, and nobody has to restart anything', async () => {
  const commits = vi.spyOn(store, 'commit').mockRejectedValue(away('ECONNREFUSED'));
  const reads = vi.spyOn(store.jobs, 'list').mockRejectedValue(away('ECONNREFUSED'));
  await expect(pause(true)).rejects.toBeInstanceOf(CommitFailed);
  for (let passed = 0; passed < MINUTE_MS; passed += 1000) {
    await vi.advanceTimersByTimeAsync(1000);
    expect(coordinator.isRecovering).toBe(true);
    await expect(pause(true)).rejects.toBeInstanceOf(CommitFailed);
  }
  // Seldom enough that a database which comes back is not met by a crowd.
  expect(reads.mock.calls.length).toBeLessThan(20);
  commits.mockRestore();
  reads.mockRestore();
  await vi.advanceTimersByTimeAsync(5000);
  await vi.waitFor(() => expect(coordinator.isRecovering).toBe(false));
  expect(coordinator.openJob(job.id)?.paused).toBe(false);
  await pause(true);
  expect((await store.jobs.get(job.id))?.paused).toBe(true);
});

test('a coordinator whose store is away can be closed', async () => {
  vi.spyOn(store, 'commit').mockRejectedValue(away('SQLITE_IOERR'));
  vi.spyOn(store.jobs, 'list').mockRejectedValue(away('SQLITE_IOERR'));
  await expect(pause(true)).rejects.toBeInstanceOf(CommitFailed);
  await vi.advanceTimersByTimeAsync(1000);
  await coordinator.close();
  await expect(pause(true)).rejects.toThrow('shutting down');
});

test('commands that wait for their commit are capped; what finishes something is taken all the same', async () => {
  const held = Promise.withResolvers<void>();
  vi.spyOn(store, 'commit').mockReturnValue(held.promise);
  const waiting = Array.from({ length: limits.commandsWaitingMax }, (_, each) => pause(each % 2 === 0));
  expect(coordinator.waiting.commands).toBe(limits.commandsWaitingMax);
  const before = hits.get('commandsWaitingMax') ?? 0;
  await expect(coordinator.dispatch({ type: 'requestWork', contributor: 'c_nobody' as never, leasesMax: 1 })).rejects.toBeInstanceOf(Overloaded);
  expect(hits.get('commandsWaitingMax')).toBe(before + 1);
  waiting.push(pause(true));
  held.resolve();
  await Promise.all(waiting);
  expect(coordinator.waiting).toEqual({ commands: 0, bytes: 0 });
});

test.each(['ENOSPC', 'SQLITE_FULL'])('over HTTP %s is answered with 503 and a time, and passes', (code) =>
  withApp(async (app) => {
    vi.useRealTimers();
    const visitor = new Visitor(app);
    await visitor.start();
    const full = vi.spyOn(app.blobs, 'put').mockRejectedValue(away(code));
    const upload = () => visitor.ask('POST', '/api/uploads', Buffer.from('bytes'), { 'content-type': 'application/octet-stream' });
    const refused = await upload();
    expect([refused.status, refused.body.code, refused.headers['retry-after']]).toEqual([503, 'busy', '5']);
    full.mockRestore();
    expect((await upload()).status).toBe(200);
  }),
);
