import type { Adversary } from '../adversary.ts';
import { everything } from './lies.ts';

const LYING = 0.1;

export const adversary: Adversary = {
  title: 'makes one result in ten up',
  begin: ({ random }) => ({ plan: (_, lease) => (random.unit() < LYING ? { result: everything(lease, random) } : null) }),
};
