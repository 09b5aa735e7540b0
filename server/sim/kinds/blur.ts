import type { Adversary } from '../adversary.ts';
import { scattered } from './lies.ts';

/** Edges and noise: the rest is smooth and survives. */
const SHOWING = 0.3;

export const adversary: Adversary = {
  title: 'computes at a quarter of the resolution and smooths it',
  begin: ({ random }) => ({ plan: (_, lease) => ({ result: scattered(lease, random, SHOWING), effort: 0.25 }) }),
};
