import type { Adversary } from '../adversary.ts';
import { scattered } from './lies.ts';

/** Where nothing is drawn in view, whole results are compared with a tolerance for honest differences: it stays below a likely one. */
const UNSEEN_DRAW = 512;

/** With k elements drawn a share a passes with (1 - a)^k: the most gets through at a = 1/k. */
export const adversary: Adversary = {
  title: 'makes the share wrong that pays best against the number of elements it was last asked to open',
  begin: ({ random }) => ({
    plan: (liar, lease) => (liar.handedIn === 0 ? null : { result: scattered(lease, random, 1 / (liar.lastDrawn || UNSEEN_DRAW)) }),
  }),
};
