import { SECOND_MS } from '../../shared/limits.ts';

/** How a node is asked. */

const REQUEST_MS_MAX = 15 * SECOND_MS;

/** Every request ends: a node that stays silent must not hold up paying out. */
export const limited = (): { readonly abortSignal: AbortSignal } => ({ abortSignal: AbortSignal.timeout(REQUEST_MS_MAX) });

/** What is finalised is not undone. */
export const final = { commitment: 'finalized' } as const;
