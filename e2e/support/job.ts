import { expect } from 'vitest';
import { WORK_MS_MAX } from './browser.ts';
import type { TestCoordinator } from './coordinator.ts';

/** What these stories read of a job's public view. */
export interface Job {
  readonly id: string;
  readonly status: 'open' | 'done' | 'cancelled';
  readonly seed: number;
  readonly params: object;
  readonly grid: { readonly passes: number; readonly tiles: number };
  readonly parts: { readonly total: number; readonly accepted: number; readonly checking: number; readonly leased: number };
  readonly checksDone: {
    readonly cpu: number;
    readonly trusted: number;
    readonly contributor: number;
    readonly refuted: number;
    readonly revoked: number;
    readonly errorBound: number;
  };
  readonly heldMicroCredits: string;
  readonly paidMicroCredits: string;
}

export const jobOf = (coordinator: TestCoordinator, id: string): Promise<Job> => coordinator.get(`/api/jobs/${id}`);

/** Waits until a job's public view satisfies a condition. */
export async function untilJob(coordinator: TestCoordinator, id: string, what: string, holds: (job: Job) => boolean): Promise<Job> {
  await expect.poll(async () => holds(await jobOf(coordinator, id)), { timeout: WORK_MS_MAX, interval: 100, message: what }).toBe(true);
  return jobOf(coordinator, id);
}

/** A requester without a browser: a guest's session, then one job. Returns its id and the session's cookie. */
export async function submitJob(coordinator: TestCoordinator, job: object): Promise<{ id: string; cookie: string }> {
  const session = await fetch(`${coordinator.apiUrl}/api/session`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' });
  const cookie = session.headers.getSetCookie()[0]?.split(';')[0] ?? '';
  const { id } = await coordinator.post<Job>('/api/jobs', job, { cookie });
  return { id, cookie };
}

/** Its requester wants no more of it. */
export async function cancelJob(coordinator: TestCoordinator, { id, cookie }: { id: string; cookie: string }): Promise<void> {
  await coordinator.post(`/api/jobs/${id}/cancel`, {}, { cookie });
}

/** One result as the database keeps it. */
export interface ResultRow {
  readonly id: string;
  readonly pass: number;
  readonly tile: number;
  readonly parts: number;
  readonly state: 'committed' | 'accepted' | 'refuted' | 'discarded';
  readonly contributor: string;
}

export const resultsOf = (coordinator: TestCoordinator, job: string): ResultRow[] =>
  coordinator.rows('select id, pass, tile, parts, state, contributor from results where job = ? order by seq', job);
