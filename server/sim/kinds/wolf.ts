import type { Adversary } from '../adversary.ts';
import { anyValue } from './lies.ts';

export const adversary: Adversary = {
  title: 'computes honestly, and answers audits with made-up values: cries wolf',
  begin: ({ random }) => ({ plan: () => null, answers: () => anyValue(random) }),
};
