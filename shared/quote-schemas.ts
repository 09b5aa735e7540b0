import { type Static, Type } from 'typebox';
import { limits } from './limits.ts';
import type { QuoteId } from './model.ts';

/** What a quote tells beside the price. */

export const quoteId = Type.Unsafe<QuoteId>(Type.String({ pattern: '^q_[A-Za-z0-9_-]{16}$' }));

/** When a job would be done, from the contributors that are here, how they come and go, and what else is to be done. */
export const finish = Type.Object({
  p50Seconds: Type.Number({ minimum: 0, description: 'As likely earlier as later.' }),
  p95Seconds: Type.Number({ minimum: 0, description: '19 times in 20 not later.' }),
});
export type Finish = Static<typeof finish>;

export const quotePromise = {
  id: quoteId,
  expiresMs: Type.Number({ description: `Until then the quote can be used for one job; ${limits.quoteMsMax / 60_000} minutes from when it was asked for.` }),
  finish: Type.Union([finish, Type.Null()], { description: 'Null while nobody is online who could take it: it waits until somebody is.' }),
  network: Type.Object({
    contributors: Type.Integer({ description: 'Online, able and willing to take it.' }),
    unitsPerSecond: Type.Number({ description: 'Work units that they do together, as far as they were measured; other jobs take their share of it.' }),
  }),
  inputBytes: Type.Integer({ description: 'What each contributor has to download.' }),
};

/** Of a job that was ordered with a quote: what was promised, and when. */
export const jobPromise = Type.Object({ ...finish.properties, atMs: Type.Number() });
export type JobPromise = Static<typeof jobPromise>;
