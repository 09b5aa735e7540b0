import { type Static, Type } from 'typebox';

const microCredits = Type.String({ pattern: '^[0-9]{1,30}$' });

export const quoteId = Type.Unsafe<QuoteId>(Type.String({ pattern: '^q_[A-Za-z0-9_-]{16}$' }));
export type QuoteId = string & { readonly __brand: 'QuoteId' };

/** When a job is done, counted from its order: one in two by the P50, 19 in 20 by the P95. */
export const finish = Type.Object({ p50Seconds: Type.Number(), p95Seconds: Type.Number() });

export const quote = Type.Object({
  /** Names the quote in an order, which then costs no more; once, and until it expires. */
  id: quoteId,
  expiresMs: Type.Number(),
  tiles: Type.Integer(),
  passes: Type.Integer(),
  /** Work units of the job itself. */
  units: Type.Number(),
  /** Paid for the tiles. */
  workMicroCredits: microCredits,
  /** Set aside for auditors; what is not needed comes back. */
  checksMicroCredits: microCredits,
  /** Held when the job is submitted, and the most that is ever paid: the sum. */
  holdMicroCredits: microCredits,
  /** Null when nobody is online who could take the job. */
  finish: Type.Union([finish, Type.Null()]),
  /** Who is online, able and willing to take the job, and what they do together: work units a second, of those whose speed is known. */
  network: Type.Object({ contributors: Type.Integer(), unitsPerSecond: Type.Number() }),
  /** What each contributor has to download. */
  inputBytes: Type.Integer(),
  report: Type.Array(Type.String()),
  facts: Type.Record(Type.String(), Type.Number()),
});
export type Quote = Static<typeof quote>;

/** What was promised when a job was ordered, and when. */
export const jobPromise = Type.Object({ ...finish.properties, madeMs: Type.Number() });
export type JobPromise = Static<typeof jobPromise>;
