import { type ChecksPolicy, defaultChecks } from '../../shared/schemas.ts';

/** What requesters choose from; the numbers behind are the policy of the job. */
export const checkPresets = {
  some: { label: 'Audit every tile, second opinion on 1 in 10', policy: defaultChecks },
  all: { label: 'Audit every tile, second opinion on every tile', policy: { ...defaultChecks, replicaShare: 1 } },
  audits: { label: 'Audit every tile, no second opinions', policy: { ...defaultChecks, replicaShare: 0 } },
} as const satisfies Record<string, { label: string; policy: ChecksPolicy }>;

export type CheckPreset = keyof typeof checkPresets;
