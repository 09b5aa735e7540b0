import type { Adversary } from '../adversary.ts';
import { square } from './lies.ts';

const SIDE = 10;

export const adversary: Adversary = {
  title: `paints ${SIDE} x ${SIDE} pixels over in every result`,
  begin: ({ random }) => ({ plan: (_, lease) => ({ result: square(lease, random, SIDE) }) }),
};
