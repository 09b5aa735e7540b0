import { createHash } from 'node:crypto';
import { limits, MINUTE_MS } from '../shared/limits.ts';
import type { OwnerId, QuoteId } from '../shared/model.ts';
import { defaultChecks, type Finish, type JobPromise, type QuoteRequest } from '../shared/schemas.ts';
import { canonical } from './canonical.ts';
import { atCap } from './caps.ts';
import { newQuoteId } from './ids.ts';
import { JobError } from './jobs.ts';
import type { StoredQuote } from './store/quotes.ts';
import type { Store } from './store/store.ts';

export interface QuoteDeps {
  readonly store: Pick<Store, 'quotes'>;
  readonly clock: () => number;
  readonly randomBytes: (length: number) => Uint8Array;
}

/** What a rate is, and where it is from. */
export type Rate = Pick<StoredQuote, 'ratePerUnit' | 'priceVersion'>;

/** What a quote gives to the job that is ordered with it. */
export interface Terms extends Rate {
  readonly id: QuoteId;
  readonly promise: JobPromise | null;
}

/** All that a price depends on, in whatever order it was written. A group changes who computes it, not what it costs. */
const fingerprintOf = ({ workload, params, files, checks = defaultChecks }: QuoteRequest): Uint8Array =>
  createHash('sha256')
    .update(JSON.stringify(canonical({ workload, params, files, checks })))
    .digest();

const isSame = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** Quotes that hold for ten minutes, also over a restart with another rate. Each can be used once, by who asked for it, for what was quoted. */
export class Quotes {
  readonly #deps: QuoteDeps;

  constructor(deps: QuoteDeps) {
    this.#deps = deps;
  }

  async keep(owner: OwnerId, request: QuoteRequest, { ratePerUnit, priceVersion }: Rate, finish: Finish | null): Promise<{ id: QuoteId; expiresMs: number }> {
    const { store, clock, randomBytes } = this.#deps;
    const id = newQuoteId(randomBytes);
    const createdMs = clock();
    const expiresMs = createdMs + limits.quoteMsMax;
    await store.quotes.create({ id, owner, fingerprint: fingerprintOf(request), ratePerUnit, priceVersion, finish, createdMs, expiresMs }, createdMs);
    return { id, expiresMs };
  }

  /** Throws `JobError` naming the field. Whether somebody else uses it at the same time, the transaction that creates the job finds out. */
  async terms(owner: OwnerId, id: QuoteId, request: QuoteRequest): Promise<Terms> {
    const { store, clock } = this.#deps;
    const quote = await store.quotes.get(id);
    // Those whose time is over are forgotten: then nobody can tell it from one that never was.
    if (!quote || quote.owner !== owner) throw new JobError('not_found', 'There is no such quote. Ask for another one.', 'quote', HELD);
    if (quote.expiresMs <= clock()) throw atCap('quoteMsMax', new JobError('stale', 'This quote has expired. Ask for another one.', 'quote', HELD));
    if (quote.usedBy !== null) throw quoteUsed();
    if (!isSame(quote.fingerprint, fingerprintOf(request)))
      throw new JobError('conflict', 'This quote is for another job: workload, params, files and checks must be those that were quoted.', 'quote');
    const { ratePerUnit, priceVersion } = quote;
    return { id, ratePerUnit, priceVersion, promise: quote.finish && { ...quote.finish, atMs: quote.createdMs } };
  }
}

const HELD = `${limits.quoteMsMax / MINUTE_MS} minutes from when it was asked for`;

export const quoteUsed = (): JobError => new JobError('conflict', 'This quote was used for another job. Ask for another one.', 'quote', 'one job');
