import type { Adversary } from '../adversary.ts';
import { scattered } from './lies.ts';

const PARTS = [0, 1, 2, 3];

/** What the opening would show is plain from the columns that were asked for, so it opens only where it is safe. */
export const adversary: Adversary = {
  title: 'makes a small share wrong, opens only when none of it is asked for, and otherwise comes back under a new name',
  begin: ({ random }) => ({
    plan: (liar, lease) => (liar.handedIn === 0 ? null : { result: scattered(lease, random, 1 / (liar.lastDrawn || 512)) }),
    opens: (_, { result }, columns) => (columns.some((element) => PARTS.some((part) => result?.wrong(part, element))) ? 'withheld' : 'opened'),
    told: (_, { kind }) => (kind === 'accepted' ? 'stays' : 'renames'),
  }),
};
