import { describe, expect, it } from 'vitest';
import { DAY_MS } from '../../shared/limits.ts';
import type { OwnerId, SiteId } from '../../shared/model.ts';
import { isOwnVisitor, SITE_SHARE_DAY_FREE, type SiteBook, takeShare } from './sites.ts';
import { Desk } from './testing.ts';

const owner = 'device:museum0000000000' as OwnerId;
const visitor = 'device:visitor000000000' as OwnerId;
const site = 's_0123456789abcdef' as SiteId;
const book = (own: Partial<SiteBook> = {}): SiteBook => ({
  owner,
  network: 'museum',
  sharePercent: 50,
  day: 0,
  days: { test: { today: 0n, best: 0n }, credit: { today: 0n, best: 0n } },
  ...own,
});

describe('a site is not its own visitor', () => {
  it('by account or by network', () => {
    expect(isOwnVisitor(book(), { owner, network: 'elsewhere' })).toBe(true);
    expect(isOwnVisitor(book(), { owner: visitor, network: 'museum' })).toBe(true);
    expect(isOwnVisitor(book(), { owner: visitor, network: 'elsewhere' })).toBe(false);
    // In a private swarm networks tell nothing.
    expect(isOwnVisitor(book({ network: null }), { owner: visitor, network: null })).toBe(false);
  });

  it('also when the visitor turns out to be the owner while his pay vests', () => {
    expect(takeShare(book(), visitor, 100n, 'test', 0)).toBe(50n);
    expect(takeShare(book(), owner, 100n, 'test', 0)).toBe(0n);
  });

  /** What the site and the visitor have got once everything has vested. */
  function shared(from: { owner?: OwnerId; network?: string }, before?: (desk: Desk) => void): { site: bigint; visitors: bigint } {
    const desk = new Desk();
    desk.do({ type: 'openSite', site, book: book({ network: 'museum' }) });
    // The operator's own, so that results are accepted as they come.
    const id = desk.join('visitor', { owner: visitor, network: 'elsewhere', site, trusted: true, ...from });
    for (const { token } of desk.ask(id, 4).leases) desk.open(id, desk.handIn(token).result);
    desk.answer();
    before?.(desk);
    desk.now += 10 * 60_000;
    desk.do({ type: 'tick' });
    return { site: desk.sum(`site/${site}`), visitors: desk.sum(`${from.owner ?? visitor}/earned`) + desk.sum(`${owner}/earned`) };
  }

  it('gets its share of a stranger’s tiles, and none of its own', () => {
    const strangers = shared({});
    expect(strangers.site).toBeGreaterThan(0n);
    expect(strangers.visitors).toBe(strangers.site);
    expect(shared({ network: 'museum' })).toEqual({ site: 0n, visitors: 2n * strangers.site });
    expect(shared({ owner }).site).toBe(0n);
    expect(shared({}, (desk) => desk.do({ type: 'changeOwner', from: visitor, to: owner })).site).toBe(0n);
    // The site goes with its owner's account, too.
    expect(shared({}, (desk) => desk.do({ type: 'changeOwner', from: owner, to: visitor })).site).toBe(0n);
  });

  it('keeps what it counted when it is opened again', () => {
    const desk = new Desk();
    desk.do({ type: 'openSite', site, book: book() });
    takeShare(desk.state.sites.get(site)!, visitor, 10n, 'test', 0);
    desk.do({ type: 'openSite', site, book: book() });
    expect(desk.state.sites.get(site)?.days.test.today).toBe(5n);
  });
});

describe('growth', () => {
  const much = 1_000n * SITE_SHARE_DAY_FREE;

  it('ends a day at what every site may have, then at twice the best day before, unit by unit', () => {
    const own = book();
    expect(takeShare(own, visitor, much, 'test', 0)).toBe(SITE_SHARE_DAY_FREE);
    expect(takeShare(own, visitor, much, 'test', DAY_MS - 1)).toBe(0n);
    expect(takeShare(own, visitor, much, 'credit', 0)).toBe(SITE_SHARE_DAY_FREE);
    expect(takeShare(own, visitor, much, 'test', DAY_MS)).toBe(2n * SITE_SHARE_DAY_FREE);
    // A quiet day takes nothing away.
    expect(takeShare(own, visitor, 10n, 'test', 2 * DAY_MS)).toBe(5n);
    expect(takeShare(own, visitor, much, 'test', 3 * DAY_MS)).toBe(4n * SITE_SHARE_DAY_FREE);
  });

  it('counts what came before a restart, and never goes below nothing', () => {
    const days = { today: SITE_SHARE_DAY_FREE + 1n, best: 0n };
    expect(takeShare(book({ days: { test: { today: SITE_SHARE_DAY_FREE - 1n, best: 0n }, credit: days } }), visitor, much, 'test', 0)).toBe(1n);
    expect(takeShare(book({ days: { test: days, credit: days } }), visitor, much, 'test', 0)).toBe(0n);
  });
});
