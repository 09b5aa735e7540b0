import { type MicroCredits, splitShare } from '../../shared/credits.ts';
import { DAY_MS } from '../../shared/limits.ts';
import type { CreditUnit, OwnerId } from '../../shared/model.ts';
import type { Contributor } from './state.ts';

/**
 * What a site gets of its visitors' pay. Its share must not pay for visitors that the site makes up: it gets none for tiles of its owner's
 * own account or network, and a day's share grows slowly, so that a crowd invented over night is worth no more than a small site's day
 * while people look at it. What the site does not get goes to the visitor.
 */

/** A day's share that no site has to grow to: 10 000 credits, at a share of 20 % fourteen GPU hours of its visitors. */
export const SITE_SHARE_DAY_FREE: MicroCredits = 10_000_000_000n;
/** Beyond it, at most this many times the best day so far. */
const GROWTH_PER_DAY = 2n;

/** Days are counted in UTC. */
export interface SiteDays {
  readonly today: MicroCredits;
  /** The best day before today. */
  readonly best: MicroCredits;
}

export interface SiteBook {
  owner: OwnerId;
  /** It was registered from; null in a private swarm. */
  readonly network: string | null;
  readonly sharePercent: number;
  /** Number of the day that `days` speaks of, since 1970. */
  day: number;
  readonly days: Record<CreditUnit, SiteDays>;
}

export const dayOf = (atMs: number): number => Math.floor(atMs / DAY_MS);

export const isOwnVisitor = (book: SiteBook, { owner, network }: Pick<Contributor, 'owner' | 'network'>): boolean =>
  owner === book.owner || (network !== null && network === book.network);

const capOf = ({ best }: SiteDays): MicroCredits => (best * GROWTH_PER_DAY > SITE_SHARE_DAY_FREE ? best * GROWTH_PER_DAY : SITE_SHARE_DAY_FREE);

/** The site's share of a visitor's pay, counted towards its day. `visitor`: who owns the contributor now. */
export function takeShare(book: SiteBook, visitor: OwnerId, amount: MicroCredits, unit: CreditUnit, now: number): MicroCredits {
  if (visitor === book.owner) return 0n;
  startDay(book, dayOf(now));
  const { today, best } = book.days[unit];
  const { share } = splitShare(amount, book.sharePercent);
  const cap = capOf(book.days[unit]);
  const left = cap > today ? cap - today : 0n;
  const taken = share < left ? share : left;
  book.days[unit] = { today: today + taken, best };
  return taken;
}

function startDay(book: SiteBook, day: number): void {
  if (day <= book.day) return;
  book.day = day;
  for (const unit of ['test', 'credit'] as const) {
    const { today, best } = book.days[unit];
    book.days[unit] = { today: 0n, best: today > best ? today : best };
  }
}
