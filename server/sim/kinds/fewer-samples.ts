import type { Adversary } from '../adversary.ts';
import { scattered } from './lies.ts';

/** Flat background comes out right all the same. */
const SHOWING = 0.8;

export const adversary: Adversary = {
  title: 'computes half of the samples and counts them twice',
  begin: ({ random }) => ({ plan: (_, lease) => ({ result: scattered(lease, random, SHOWING), effort: 0.5 }) }),
};
