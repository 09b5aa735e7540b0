import { type ChecksPolicy, defaultChecks } from '../../shared/schemas.ts';

/** What requesters choose from: how many wrong values they are willing to expect. Less of them takes more checking. */
export const certainties = {
  draft: { label: 'At most 1 wrong value in 1,000', policy: { targetError: 1e-3 } },
  usual: { label: 'At most 1 wrong value in 10,000', policy: defaultChecks },
  strict: { label: 'At most 1 wrong value in 100,000', policy: { targetError: 1e-5 } },
} as const satisfies Record<string, { label: string; policy: ChecksPolicy }>;

export type Certainty = keyof typeof certainties;
