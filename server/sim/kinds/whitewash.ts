import type { Adversary } from '../adversary.ts';
import { everything } from './lies.ts';

export const adversary: Adversary = {
  title: 'makes everything up ten times as fast as it could compute it, and comes back under a new name after every refusal',
  begin: ({ random }) => ({
    plan: (_, lease) => ({ result: everything(lease, random), effort: 0.1 }),
    told: (_, { kind }) => (kind === 'accepted' ? 'stays' : 'renames'),
  }),
};
