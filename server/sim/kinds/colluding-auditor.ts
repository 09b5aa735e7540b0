import type { Adversary, Lie } from '../adversary.ts';
import { scattered } from './lies.ts';

const HONEST_RESULTS = 4;
const SHARED_VALUE = 7;

/** Its devices know of each other what they made up, so each answers what its partner claims. */
export const adversary: Adversary = {
  title: `honest for ${HONEST_RESULTS} results, then lies, and confirms the lies of its partners when it audits them`,
  begin({ random }) {
    const told = new Map<string, Lie>();
    return {
      plan(liar, lease) {
        if (liar.accepted < HONEST_RESULTS) return null;
        const result = scattered(lease, random, 1 / (liar.lastDrawn || 512), SHARED_VALUE);
        told.set(`${lease.job}/${lease.pass}/${lease.tile}`, result);
        return { result };
      },
      answers: (_, { job, pass, tile, part, element }, honest) => (told.get(`${job}/${pass}/${tile}`)?.wrong(part, element) ? SHARED_VALUE : honest),
    };
  },
};
