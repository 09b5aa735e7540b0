import type { Adversary } from '../adversary.ts';
import { everything } from './lies.ts';

export const adversary: Adversary = {
  title: 'makes every result up',
  begin: ({ random }) => ({ plan: (_, lease) => ({ result: everything(lease, random) }) }),
};
