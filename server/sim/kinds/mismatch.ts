import type { Adversary } from '../adversary.ts';
import { everything } from './lies.ts';

export const adversary: Adversary = {
  title: 'makes everything up, and opens honest values that it did not commit to',
  begin: ({ random }) => ({ plan: (_, lease) => ({ result: everything(lease, random) }), opens: () => 'forged' }),
};
