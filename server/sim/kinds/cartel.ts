import type { Adversary, Lie } from '../adversary.ts';
import { everything } from './lies.ts';

const HONEST_RESULTS = 15;
const SHARED_VALUE = 7;

/** What beats voting: everybody in it makes up the same. */
export const adversary: Adversary = {
  title: `honest for ${HONEST_RESULTS} results, then all its devices make up the same values, and confirm them when they audit`,
  begin({ random }) {
    const told = new Map<string, Lie>();
    return {
      plan(liar, lease) {
        if (liar.accepted < HONEST_RESULTS) return null;
        const result = everything(lease, random, SHARED_VALUE);
        told.set(`${lease.job}/${lease.pass}/${lease.tile}`, result);
        return { result };
      },
      answers: (_, { job, pass, tile }, honest) => (told.has(`${job}/${pass}/${tile}`) ? SHARED_VALUE : honest),
    };
  },
};
