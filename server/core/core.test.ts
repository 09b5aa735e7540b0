import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BlobHash, ContributorId, Evidence, JobId, OwnerId, PartMask, ResultId, SiteId } from '../../shared/model.ts';
import { defaultChecks } from '../../shared/schemas.ts';
import { simSpec, UNITS_PER_PART } from '../sim/spec.ts';
import type { StoredJob, StoredResult } from '../store/store.ts';
import { TileBlocks } from './blocks.ts';
import { openLease, sealLease } from './lease.ts';
import { refundAccount, refunds, splitHold, vests, voids } from './ledger.ts';
import { priceJob } from './pricing.ts';
import { newStanding, type Standing } from './reputation.ts';
import type { VestingResult } from './state.ts';
import { allowedMisses, commitmentOf, drawCount, drawDigest, errorBound } from './verifier.ts';

const lease = {
  job: 'j_0123456789abcdef' as JobId,
  contributor: 'c_0123456789abcdef' as ContributorId,
  at: { pass: 0, tile: 7 },
  parts: 15 as PartMask,
  attempt: 3,
  epoch: 1,
  expiresMs: 1e12,
};
const owner = 'device:0123456789abcdef' as OwnerId;

describe('lease tokens', () => {
  const key = new Uint8Array(32).fill(1);

  it('open with their key only', () => {
    const token = sealLease(key, lease);
    expect(openLease([key], token)).toEqual(lease);
    expect(() => openLease([new Uint8Array(32).fill(2)], token)).toThrow('not made by this coordinator');
  });

  it('are refused after any change of a single character', () => {
    const token = sealLease(key, lease);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: token.length - 2 }), (at) => {
        const changed = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1);
        expect(() => openLease([key], changed)).toThrow();
      }),
    );
    for (const text of ['', 'A', token.slice(0, 40), `${token}AAAA`]) expect(() => openLease([key], text)).toThrow();
  });
});

describe('tile blocks', () => {
  it('offer every part exactly once until it is given back', () => {
    const blocks = new TileBlocks({ passes: 1, tiles: 3000 }, () => 4);
    const seen = new Set<number>();
    for (let tile = blocks.peek(); tile !== undefined; tile = blocks.peek()) {
      expect(seen.has(tile)).toBe(false);
      seen.add(tile);
      blocks.lease(tile, blocks.free(tile));
    }
    expect(seen.size).toBe(3000);
    blocks.hold(1500, 3 as PartMask);
    blocks.unlease(1500, 15 as PartMask);
    expect(blocks.peek()).toBe(1500);
    expect(blocks.free(1500)).toBe(12);
    blocks.accept(1500, 3 as PartMask);
    blocks.unhold(1500, 15 as PartMask);
    expect(blocks.free(1500)).toBe(12);
  });
});

describe('the draw', () => {
  const hash = 'ab'.repeat(32) as BlobHash;
  const root = new Uint8Array(32).fill(7);
  const commitment = commitmentOf(lease, hash, root);
  const result = (nonce: number): StoredResult => ({ commitment, nonce: new Uint8Array(16).fill(nonce) }) as StoredResult;
  const key = new Uint8Array(32).fill(9);

  it('is fixed by secret, commitment and nonce, and changes with each of them', () => {
    const draws = [
      drawDigest(key, result(1), 'first'),
      drawDigest(key, result(2), 'first'),
      drawDigest(new Uint8Array(32), result(1), 'first'),
      drawDigest(key, result(1), 'second'),
      drawDigest(key, { ...result(1), commitment: commitmentOf({ ...lease, attempt: 4 }, hash, root) }, 'first'),
      drawDigest(key, { ...result(1), commitment: commitmentOf(lease, hash, new Uint8Array(32)) }, 'first'),
    ].map((digest) => Buffer.from(digest).toString('hex'));
    expect(new Set(draws).size).toBe(draws.length);
    expect(Buffer.from(drawDigest(key, result(1), 'first')).toString('hex')).toBe(draws[0]);
  });
});

describe('how much is enough', () => {
  const standing = (verified: number): Standing => ({ ...newStanding(0), verified });
  const evidence = (by: Evidence['by'], drawn: number): Evidence => ({ by, drawn, differing: 0, unexplained: 0, worst: 0, cpuMs: 0 });

  it('keeps the expected wrong share under the target whatever share of a result a liar makes wrong', () => {
    for (const target of [1e-3, 1e-4])
      for (const verified of [0, 4096, 50_000, 1e6])
        for (const size of [1024, 4096, 16_384]) {
          const k = drawCount(target, standing(verified), size, 'cpu');
          // One in five lies with this result; the rest of what such contributors delivered was honest.
          const worst = Math.max(...Array.from({ length: 2000 }, (_, index) => index / 2000).map((a) => a * (1 - a) ** k));
          expect((0.2 * worst * size) / (verified + size)).toBeLessThanOrEqual(target * 1.001);
          expect(errorBound(standing(verified), size, [evidence('cpu', k)])).toBeLessThanOrEqual(target);
        }
  });

  it('draws less of a longer record, never less than 128, and more where strangers audit', () => {
    const counts = [0, 4096, 16_384, 1e5, 1e7].map((verified) => drawCount(1e-4, standing(verified), 4096, 'trusted'));
    expect(counts[0]).toBe(736);
    expect(counts).toEqual(counts.toSorted((a, b) => b - a));
    expect(counts.at(-1)).toBe(128);
    expect(drawCount(1e-4, standing(0), 4096, 'contributor')).toBe(Math.ceil(735.8 / 0.6));
    expect(drawCount(1e-6, standing(0), 4096, 'cpu')).toBe(4096);
    // Few elements of much work each: all of a newcomer's, one in sixteen of whoever has a long record.
    expect(drawCount(1e-4, standing(0), 64, 'trusted')).toBe(64);
    expect(drawCount(1e-4, standing(1e6), 64, 'trusted')).toBe(4);
  });

  it('claims nothing without evidence, and certainty only when all of it was recomputed by somebody who is believed', () => {
    expect(errorBound(standing(0), 4096, [])).toBe(0.2);
    expect(errorBound(standing(0), 4096, [evidence('cpu', 4096)])).toBe(0);
    expect(errorBound(standing(0), 4096, [evidence('contributor', 4096)])).toBeGreaterThan(0);
  });
});

describe('allowed misses', () => {
  /** P(X > d) for X binomial(n, p), summed from the top so that small tails keep their digits. */
  const tail = (n: number, p: number, d: number): number => {
    let sum = 0;
    for (let k = n; k > d; k--) {
      let log = 0;
      for (let i = 1; i <= k; i++) log += Math.log((n - k + i) / i);
      sum += Math.exp(log + k * Math.log(p) + (n - k) * Math.log1p(-p));
    }
    return sum;
  };

  it('is the smallest number that an honest result exceeds with a chance of at most 1e-9', () => {
    for (const [n, p] of [
      [8, 0.002],
      [64, 0.002],
      [256, 0.002],
      [64, 0.0003],
      [1000, 0.001],
    ] as const) {
      const d = allowedMisses(n, p);
      expect(tail(n, p, d)).toBeLessThanOrEqual(1.01e-9);
      expect(tail(n, p, d - 1)).toBeGreaterThan(1e-9);
    }
    expect(allowedMisses(64, 0)).toBe(0);
    expect(allowedMisses(0, 0.1)).toBe(0);
  });
});

describe('money', () => {
  const spec = simSpec({ passes: 2, tiles: 10 });
  const context = { id: lease.job, seed: 1, params: {}, prepared: {} };

  it('prices a job as the exact sum of its parts, and sets auditing aside by the certainty that is ordered', () => {
    const price = priceJob(spec, context, defaultChecks, 1_000_000n);
    const work = 80n * BigInt(UNITS_PER_PART);
    expect(price.work).toBe(work);
    expect(price.checks).toBe(work / 20n);
    expect(priceJob(spec, context, { targetError: 1e-3 }, 1_000_000n).checks).toBe(work / 50n);
    expect(priceJob(spec, context, { targetError: 1e-6 }, 1_000_000n).checks).toBe(work / 2n);
  });

  const job = { id: lease.job, unit: 'test', owner, heldFrom: splitHold(owner, 'test', 100n, 30n) } as StoredJob;

  it('holds granted credits first and refunds earned ones first', () => {
    expect(job.heldFrom).toEqual([
      { account: `${owner}/grant`, microCredits: 30n },
      { account: `${owner}/earned`, microCredits: 70n },
    ]);
    expect(refunds(job, 80n, 0).map(({ credit, microCredits }) => [credit, microCredits])).toEqual([
      [`${owner}/earned`, 70n],
      [`${owner}/grant`, 10n],
    ]);
    expect(refunds(job, 0n, 0)).toEqual([]);
    expect(() => refunds(job, 101n, 0)).toThrow('beyond its hold');
  });

  const result = {
    id: 'r_0123456789abcdef' as ResultId,
    job: job.id,
    at: lease.at,
    contributor: lease.contributor,
    site: 's_0123456789abcdef' as SiteId,
    vesting: { unit: 'test', microCredits: 101n, vestsAtMs: 5, refundTo: `${owner}/earned` },
  } as VestingResult;

  it('splits what vests with the site', () => {
    const moved = vests(result, owner, 50n, 0).map(({ debit, credit, microCredits }) => [debit, credit, microCredits]);
    expect(moved).toEqual([
      [`vesting/${lease.contributor}`, `${owner}/earned`, 51n],
      [`vesting/${lease.contributor}`, 'site/s_0123456789abcdef', 50n],
    ]);
    expect(vests(result, owner, 0n, 0)).toHaveLength(1);
  });

  it('takes back what is voided: to the job, or to who paid for it when the job has ended', () => {
    expect(voids(result, false, 0)).toMatchObject({ debit: `vesting/${lease.contributor}`, credit: `job/${job.id}`, microCredits: 101n });
    expect(voids(result, true, 0)).toMatchObject({ credit: `${owner}/earned`, microCredits: 101n });
    expect(refundAccount(job)).toBe(`${owner}/earned`);
  });
});
