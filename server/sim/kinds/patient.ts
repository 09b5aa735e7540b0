import { MINUTE_MS } from '../../../shared/limits.ts';
import type { Adversary } from '../adversary.ts';
import { scattered } from './lies.ts';

/** So few elements are drawn of those who have a record: hardly more than the least that is ever drawn (`DRAWN_MIN` of core/verifier.ts). */
const FEW_DRAWN = 134;
/** Where no draw shows how much it is trusted. */
const HONEST_RESULTS = 25;
/** Until what got through can no longer be taken back. */
const WAIT_MS = MINUTE_MS;

export const adversary: Adversary = {
  title: 'builds a record until few of its elements are drawn, lies a little once a minute, and comes back under a new name when it is caught',
  begin({ random, nowMs }) {
    const lied = new Map<number, number>();
    return {
      plan(liar, lease) {
        const isTrusted = liar.lastDrawn > 0 ? liar.lastDrawn <= FEW_DRAWN : liar.accepted >= HONEST_RESULTS;
        if (!isTrusted || nowMs() - (lied.get(liar.device) ?? 0) < WAIT_MS) return null;
        lied.set(liar.device, nowMs());
        return { result: scattered(lease, random, 1 / (liar.lastDrawn || 512)) };
      },
      told: (_, { kind }) => (kind === 'suspended' ? 'renames' : 'stays'),
    };
  },
};
