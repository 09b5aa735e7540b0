import { workloadIds } from '../../shaders/registry.ts';
import type { ConsentGrant, ContributorView, Problem } from '../../shared/schemas.ts';
import type { PartialResult } from '../../shared/workload.ts';
import { parseHours } from '../comfort/hours.ts';
import { createEngine, type Engine } from '../engine/engine.ts';
import { ConnectionNews } from './connection.ts';
import { drills } from './drill.ts';
import type { Options } from './options.ts';
import type { Outcome, Report } from './outcome.ts';
import { keepHours } from './timetable.ts';

const REQUEST_MS_MAX = 30_000;

/** The engine in this process. Works until `--tiles` are accepted or the signal aborts. Throws when it cannot go on. */
export async function contribute(gpu: GPU, options: Options, report: Report, note: (line: string) => void, signal: AbortSignal): Promise<Outcome> {
  const { origin, tiles, powerPercent, hours, downloadBytesMax, trusted, drill } = options;
  const { consent, contributor } = options.identity ?? (await request<ConsentGrant>(origin, 'POST', '/api/consents', { kinds: workloadIds, site: null }));
  const authorization = `Contributor ${contributor.id}.${contributor.secret}`;
  const ended = Promise.withResolvers<void>();
  const news = new ConnectionNews(origin, note);
  const engine = createEngine({
    origin,
    powerPercent,
    downloadBytesMax,
    identity: { contributor, consent: consent.id },
    kinds: consent.kinds,
    gpu: async () => gpu,
    backend: 'dawn-node',
    ...(trusted !== null && { trusted }),
    ...(drill !== null && { alter: ({ bytes }: PartialResult) => drills[drill](new Uint32Array(bytes.buffer)) }),
    onState(snapshot) {
      report(outcomeOf(snapshot));
      news.is(snapshot);
      if (snapshot.mode === 'failed') ended.reject(new Error(snapshot.error?.message ?? 'the engine failed'));
      else if (snapshot.mode === 'stopped' && snapshot.reason) ended.reject(new Error(snapshot.reason));
      else if (snapshot.mode === 'stopped') ended.resolve();
      else if (tiles !== null && snapshot.tiles.accepted >= tiles) void engine.stop();
    },
  });
  const stop = (): void => void engine.stop();
  engine.start();
  const endHours = keepHours(parseHours(hours), engine, note);
  if (signal.aborted) stop();
  else signal.addEventListener('abort', stop, { once: true });
  try {
    await ended.promise;
    // Verdicts that came while winding down are in the coordinator's books, though no longer in this connection's news.
    const me = await request<ContributorView>(origin, 'GET', '/api/contributors/me', undefined, authorization);
    return { ...outcomeOf(engine.snapshot), earnedMicroCredits: me.earnedMicroCredits, vestingMicroCredits: me.vestingMicroCredits };
  } finally {
    endHours();
    news.end();
    signal.removeEventListener('abort', stop);
    // Nothing is lost when the coordinator is gone: the consent runs out by itself.
    await request(origin, 'DELETE', `/api/consents/${consent.id}`, undefined, authorization).catch(() => undefined);
  }
}

const outcomeOf = ({ tiles, audits, earnedMicroCredits, vestingMicroCredits }: Engine['snapshot']): Outcome => ({
  tiles: tiles.handedIn,
  accepted: tiles.accepted,
  refuted: tiles.refuted,
  discarded: tiles.discarded,
  audits,
  earnedMicroCredits,
  vestingMicroCredits,
});

async function request<T>(origin: string, method: string, path: string, body?: unknown, authorization?: string): Promise<T> {
  const headers = { ...(body !== undefined && { 'content-type': 'application/json' }), ...(authorization && { authorization }) };
  const init = { method, headers, signal: AbortSignal.timeout(REQUEST_MS_MAX), ...(body !== undefined && { body: JSON.stringify(body) }) };
  const response = await fetch(origin + path, init).catch((error: Error) => {
    throw new Error(`The coordinator at ${origin} does not answer: ${error.cause instanceof Error ? error.cause.message : error.message}`);
  });
  const answer = (await response.json().catch(() => null)) as T | Problem | null;
  if (response.ok && answer !== null) return answer as T;
  const said = answer && typeof answer === 'object' && 'detail' in answer ? answer.detail : `status ${response.status}`;
  throw new Error(`The coordinator at ${origin} answered ${method} ${path}: ${said}`);
}
