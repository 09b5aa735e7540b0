import type { Adversary } from '../adversary.ts';
import { everything } from './lies.ts';

export const adversary: Adversary = {
  title: 'commits to honest parts and opens them, but hands in another total',
  begin: ({ random }) => ({ plan: (_, lease) => ({ result: everything(lease, random), committed: null }) }),
};
