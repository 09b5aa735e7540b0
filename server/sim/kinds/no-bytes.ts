import type { Adversary } from '../adversary.ts';
import { everything } from './lies.ts';

export const adversary: Adversary = {
  title: 'names the hash of a result that it never uploads',
  begin: ({ random }) => ({ plan: (_, lease) => ({ result: everything(lease, random), bytes: false }) }),
};
