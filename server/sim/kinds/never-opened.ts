import type { Adversary } from '../adversary.ts';
import { everything } from './lies.ts';

export const adversary: Adversary = {
  title: 'commits to what it made up and never opens it',
  begin: ({ random }) => ({ plan: (_, lease) => ({ result: everything(lease, random) }), opens: () => 'withheld' }),
};
