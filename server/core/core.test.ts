import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BlobHash, ContributorId, JobId, OwnerId, PartMask, ResultId, SiteId } from '../../shared/model.ts';
import { defaultChecks } from '../../shared/schemas.ts';
import { simSpec } from '../sim/world.ts';
import type { StoredJob, StoredResult } from '../store/store.ts';
import { TileBlocks } from './blocks.ts';
import { openLease, sealLease } from './lease.ts';
import { payments, refunds, splitHold } from './ledger.ts';
import { priceJob } from './pricing.ts';
import { allowedMisses, commitmentOf, drawDigest, wantsReplica } from './verifier.ts';

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
    expect(openLease(key, token)).toEqual(lease);
    expect(() => openLease(new Uint8Array(32).fill(2), token)).toThrow('not made by this coordinator');
  });

  it('are refused after any change of a single character', () => {
    const token = sealLease(key, lease);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: token.length - 2 }), (at) => {
        const changed = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1);
        expect(() => openLease(key, changed)).toThrow();
      }),
    );
    for (const text of ['', 'A', token.slice(0, 40), `${token}AAAA`]) expect(() => openLease(key, text)).toThrow();
  });
});

describe('tile blocks', () => {
  it('offer every part exactly once until it is given back', () => {
    const blocks = new TileBlocks(3000, () => 4);
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
  const commitment = commitmentOf(lease, hash);
  const result = (nonce: number): StoredResult => ({ commitment, nonce: new Uint8Array(16).fill(nonce) }) as StoredResult;
  const key = new Uint8Array(32).fill(9);

  it('is fixed by secret, commitment and nonce, and changes with each of them', () => {
    const draws = [
      drawDigest(key, result(1), 'audit'),
      drawDigest(key, result(2), 'audit'),
      drawDigest(new Uint8Array(32), result(1), 'audit'),
      drawDigest(key, result(1), 'larger audit'),
      drawDigest(key, { ...result(1), commitment: commitmentOf({ ...lease, attempt: 4 }, hash) }, 'audit'),
    ].map((digest) => Buffer.from(digest).toString('hex'));
    expect(new Set(draws).size).toBe(draws.length);
    expect(Buffer.from(drawDigest(key, result(1), 'audit')).toString('hex')).toBe(draws[0]);
  });

  it('sends the ordered share to a second contributor', () => {
    const wanted = Array.from({ length: 10_000 }, (_, nonce) => ({ ...result(0), nonce: Uint8Array.of(nonce & 255, nonce >> 8) })).filter((each) =>
      wantsReplica(key, each, 0.1),
    );
    // Binomial(10000, 0.1): five standard deviations are 150.
    expect(Math.abs(wanted.length - 1000)).toBeLessThan(150);
    expect(wantsReplica(key, result(1), 0)).toBe(false);
    expect(wantsReplica(key, result(1), 1)).toBe(true);
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

  it('prices a job as the exact sum of its parts, and sets replicas aside', () => {
    const price = priceJob(spec, context, defaultChecks, 1_000_000n);
    expect(price.work).toBe(80n * 1000n);
    expect(price.checks).toBe(12_000n);
    expect(priceJob(spec, context, { auditElements: 64, replicaShare: 0 }, 1_000_000n).checks).toBe(0n);
    expect(priceJob(spec, context, { auditElements: 0, replicaShare: 1 }, 1_000_000n).checks).toBe(price.work);
  });

  const job = { id: lease.job, unit: 'test', owner, heldFrom: splitHold(owner, 100n, 30n) } as StoredJob;

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

  it('splits a payment with the site, the residue to the contributor', () => {
    const result = { id: 'r_0123456789abcdef' as ResultId, at: lease.at, site: 's_0123456789abcdef' as SiteId } as StoredResult;
    const { transfers, earned } = payments(job, result, owner, 101n, 50, 0);
    expect(transfers.map(({ credit, microCredits }) => [credit, microCredits])).toEqual([
      [`${owner}/earned`, 51n],
      ['site/s_0123456789abcdef', 50n],
    ]);
    expect(earned).toBe(51n);
    expect(payments(job, { ...result, site: null }, owner, 101n, 50, 0).transfers).toHaveLength(1);
  });
});
