import type { Adversary } from '../adversary.ts';
import { everything } from './lies.ts';

/** Devices of one precision agree with each other. */
const LOW = 2;

export const adversary: Adversary = {
  title: 'computes in half precision: every element is off by a little more than the tolerance',
  begin: ({ random }) => ({ plan: (_, lease) => ({ result: everything(lease, random, LOW), effort: 0.5 }) }),
};
