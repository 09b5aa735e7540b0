import type { Adversary } from '../adversary.ts';
import { scattered } from './lies.ts';

/** Another tile's picture, or the same place in another job, is right where both are background. */
const SHOWING = 0.95;

export const adversary: Adversary = {
  title: 'hands in what somebody else was seen to compute for another tile or job',
  begin: ({ random }) => ({ plan: (_, lease) => ({ result: scattered(lease, random, SHOWING) }) }),
};
