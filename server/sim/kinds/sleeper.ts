import type { Adversary } from '../adversary.ts';
import { everything } from './lies.ts';

/** BOINC trusts after ten; one and a half times as many, so that a record has been built whatever the policy. */
const HONEST_TILES = 15;

export const adversary: Adversary = {
  title: `honest for ${HONEST_TILES} results, then makes everything up`,
  begin: ({ random }) => ({ plan: (liar, lease) => (liar.accepted < HONEST_TILES ? null : { result: everything(lease, random) }) }),
};
