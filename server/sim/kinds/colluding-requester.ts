import type { Adversary } from '../adversary.ts';
import { everything } from './lies.ts';

const RECORD = 15;

/** In its own jobs it knows every answer before it is asked, so that it gains a record without computing. */
export const adversary: Adversary = {
  title: `orders jobs whose answers it knows, and lies in those of others after ${RECORD} accepted results`,
  begin: ({ random }) => ({
    ordersShare: 0.2,
    plan(liar, lease) {
      if (lease.own) return { result: null, effort: 0 };
      return liar.accepted < RECORD ? null : { result: everything(lease, random) };
    },
  }),
};
