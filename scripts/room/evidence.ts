import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { Tessera } from '../../client/sdk/index.ts';
import type { JobId } from '../../shared/model.ts';
import type { AcceptedView, OperatorContributor, OperatorPage } from '../../shared/schemas.ts';
import type { Liars } from './liars.ts';

/** What can be said of a room afterwards, from what was there when the coordinator was killed and from what everybody can ask for at the end. */

export interface Evidence {
  readonly tiles: number;
  readonly parts: number;
  readonly parts_accepted: number;
  readonly liars_planted: number;
  readonly liars_found: number;
  /** Paid to planted liars or to be paid, in micro-credits. */
  readonly liars_earned_micro: number;
  /** Contributors that are no planted liars and have a refuted result. */
  readonly honest_accused: number;
  readonly kills: number;
  /** Results that had been acknowledged when the coordinator was killed, and those of them that are not accepted at the end. */
  readonly acknowledged_at_kill: number;
  readonly lost_over_kill: number;
  readonly back_after_ms: number;
  /** Values computed again, by anybody, of all that were accepted. */
  readonly checking_share: number;
  /** From the wall's hearing of an acceptance to the frame that shows it. */
  readonly accept_to_paint_ms_p95: number;
  /** 1: the wall's browser computed the receipt's hashes and signature anew, and all is whole. */
  readonly receipt_verified: number;
  readonly contributors: number;
  readonly seconds: number;
}

/** Ids of the job's results that are acknowledged and not refuted, in the database of a coordinator that is not running; those of planted liars are left out, and those that were settled and packed, ten minutes after their verdict at the earliest. */
export function acknowledgedIn(dataDir: string, job: JobId): string[] {
  const db = new Database(join(dataDir, 'tessera.sqlite'), { readonly: true });
  try {
    const query = db.prepare("select id from results where job = ? and drill = 0 and state in ('committed', 'accepted')").pluck();
    return query.all(job) as string[];
  } finally {
    db.close();
  }
}

export async function acceptedOf(tessera: Tessera, job: JobId): Promise<AcceptedView[]> {
  const all: AcceptedView[] = [];
  let next: string | null = null;
  do {
    const page = await tessera.results(job, next === null ? {} : { cursor: next });
    all.push(...page.rows);
    next = page.next;
  } while (next !== null);
  return all;
}

/** An operator's session on the coordinator, by a link's token. */
export async function operatorCookie(origin: string, token: string): Promise<string> {
  const headers = { 'content-type': 'application/json', origin };
  const answer = await fetch(`${origin}/api/operator/session`, { method: 'POST', headers, body: JSON.stringify({ token }) });
  const cookie = answer.headers.getSetCookie()[0]?.split(';')[0];
  if (!answer.ok || !cookie) throw new Error(`no operator's session: ${answer.status}`);
  return cookie;
}

export async function contributorsOf(origin: string, cookie: string): Promise<readonly OperatorContributor[]> {
  const answer = await fetch(`${origin}/api/operator/contributors`, { headers: { cookie } });
  if (!answer.ok) throw new Error(`contributors are not known: ${answer.status}`);
  return ((await answer.json()) as OperatorPage<OperatorContributor>).rows;
}

/** Contributors with a refuted result that are not among the planted liars. */
export const accusedAmong = (rows: readonly OperatorContributor[], liars: Pick<Liars, 'ids'>): number =>
  rows.filter(({ id, refuted }) => refuted > 0 && !liars.ids.has(id)).length;
