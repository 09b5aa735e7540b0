import { createHash, timingSafeEqual } from 'node:crypto';
import { Readable } from 'node:stream';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { limits, MINUTE_MS } from '../../shared/limits.ts';
import * as schemas from '../../shared/money-schemas.ts';
import type { Config } from '../config.ts';
import type { Asking, Money } from '../money.ts';
import { statementCsv } from '../statement-csv.ts';
import type { Store } from '../store/store.ts';
import { walletOf } from './account.ts';
import { HttpError } from './errors.ts';
import { claimOf } from './idempotency.ts';
import { originOf } from './security.ts';
import type { Session, Sessions } from './session.ts';

export interface MoneyRouteDeps {
  readonly money: Money;
  readonly store: Store;
  readonly config: Config;
  readonly sessions: Sessions;
}

const TRIES = 30;
const TRIES_WINDOW_MS = 10 * MINUTE_MS;
const tries = { rateLimit: { max: TRIES, timeWindow: TRIES_WINDOW_MS } };
const closed = { additionalProperties: false } as const;
const params = Type.Object({ id: schemas.withdrawalId }, closed);
const COUNTRY = /^[A-Za-z]{2}$/;

/** Deposits, withdrawals and their proofs. An API key may do none of it: a wallet signs for every payout. */
export const moneyRoutes =
  ({ money, store, config, sessions }: MoneyRouteDeps): FastifyPluginAsyncTypebox =>
  async (app) => {
    const askingOf = (request: FastifyRequest, { owner, hash }: Session): Asking => ({
      ...{ owner, wallet: walletOf(owner), sessionHash: hash, origin: originOf(config, request), ip: request.ip },
      country: config.trustProxy ? countryOf(request) : null,
      claim: claimOf(request)?.claim ?? null,
    });

    app.get('/api/money', { schema: { response: { 200: schemas.moneyView } } }, async () => money.view());

    const asking = { body: schemas.withdrawalRequest, response: { 201: schemas.withdrawalAsked } };
    app.post('/api/account/withdrawals', { config: { ...tries, idempotent: true }, schema: asking }, async (request, reply) => {
      const session = await sessions.require(request);
      const made = claimOf(request)?.made ?? null;
      const asked = made === null ? await money.ask(BigInt(request.body.microCredits), askingOf(request, session)) : await money.asked(made, session.owner);
      return reply.code(201).send(asked);
    });

    const confirming = { params, body: schemas.withdrawalSignature, response: { 200: schemas.withdrawalView } };
    app.post('/api/account/withdrawals/:id/confirm', { config: tries, schema: confirming }, async (request) => {
      const { owner, hash } = await sessions.require(request);
      return money.confirm(request.params.id, request.body, { owner, sessionHash: hash });
    });

    app.get('/api/account/withdrawals', { schema: { response: { 200: schemas.withdrawalPage } } }, async (request) => ({
      withdrawals: await money.list((await sessions.require(request)).owner),
    }));

    app.get('/api/account/earnings', { schema: { response: { 200: schemas.earningsAnswer } } }, async (request) => {
      const wallet = walletOf((await sessions.require(request)).owner);
      return { proof: wallet === null ? null : await money.proof(wallet) };
    });

    app.get('/api/account/statement.csv', async (request, reply) => {
      const { owner } = await sessions.require(request);
      const name = `attachment; filename="tessera-statement.csv"`;
      return reply
        .header('content-type', 'text/csv; charset=utf-8')
        .header('content-disposition', name)
        .send(Readable.from(statementCsv(store, owner)));
    });
  };

/** As proxies name it; whoever is not behind the operator's own could say anything. */
function countryOf({ headers }: FastifyRequest): string | null {
  const named = headers['cf-ipcountry'] ?? headers['x-country'];
  return typeof named === 'string' && COUNTRY.test(named) ? named.toUpperCase() : null;
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** The settle process comes here, and is known by its token. It listens to nobody itself. */
export const settleRoutes =
  ({ money, config }: Pick<MoneyRouteDeps, 'money' | 'config'>): FastifyPluginAsyncTypebox =>
  async (app) => {
    const schema = { body: schemas.settleReport, response: { 200: schemas.settleAnswer } };
    app.post('/api/settle', { schema, bodyLimit: limits.jsonBodyBytesMax }, async (request) => {
      const [scheme, token = ''] = (request.headers.authorization ?? '').split(' ');
      const expected = config.payouts?.settleToken;
      if (expected === undefined || scheme !== 'Settle' || !timingSafeEqual(digest(token), digest(expected)))
        throw new HttpError('signed_out', 'Only the settle process may ask for this.', 'authorization');
      return money.sync(request.body);
    });
  };
