import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from 'typebox';
import { limits } from '../../shared/limits.ts';
import type { CreditUnit, LedgerUnit, OwnerId } from '../../shared/model.ts';
import type { AccountView, HistoryPage, StatementRow } from '../../shared/schemas.ts';
import * as schemas from '../../shared/schemas.ts';
import type { StatementEntry, Store } from '../store/store.ts';
import type { Cursors } from './cursors.ts';
import type { AppDeps } from './deps.ts';
import { consentView, historyOf } from './record.ts';
import type { Sessions } from './session.ts';

const WALLET = 'wallet:';
export const walletOf = (owner: OwnerId): string | null => (owner.startsWith(WALLET) ? owner.slice(WALLET.length) : null);

async function balanceOf(store: Store, owner: OwnerId, unit: CreditUnit): Promise<Static<typeof schemas.balance>> {
  const [grant, deposited, earned, vesting] = await Promise.all([
    store.ledger.balance(`${owner}/grant`, unit),
    store.ledger.balance(`${owner}/deposited`, unit),
    store.ledger.balance(`${owner}/earned`, unit),
    store.ledger.vesting(owner, unit),
  ]);
  return {
    unit,
    grantMicroCredits: grant.toString(),
    depositedMicroCredits: deposited.toString(),
    earnedMicroCredits: earned.toString(),
    vestingMicroCredits: vesting.toString(),
  };
}

/** Test credits always; credits once there are any. `jobs` counts the open ones. */
export async function accountView(store: Store, owner: OwnerId): Promise<AccountView> {
  const [test, credit, jobs] = await Promise.all([balanceOf(store, owner, 'test'), balanceOf(store, owner, 'credit'), store.jobs.countOpen(owner)]);
  const hasCredit = [credit.grantMicroCredits, credit.depositedMicroCredits, credit.earnedMicroCredits, credit.vestingMicroCredits].some(
    (amount) => amount !== '0',
  );
  return { owner, wallet: walletOf(owner), balances: hasCredit ? [test, credit] : [test], jobs };
}

/** Tokens are on a chain: no account of a person counts them. */
function creditUnit(unit: LedgerUnit): CreditUnit {
  if (unit === 'token') throw new Error('an account of a person counts tokens');
  return unit;
}

/** A transfer between two of the accounts is two rows: the account makes their ids differ. */
const statementRow = ({ transfer: { id, atMs, unit, kind, job, at }, account, microCredits }: StatementEntry): StatementRow => ({
  id: `${account}/${id}`,
  atMs,
  unit: creditUnit(unit),
  account,
  microCredits: microCredits.toString(),
  kind,
  job,
  pass: at?.pass ?? null,
  tile: at?.tile ?? null,
});

/** A session of one's own, and what it holds. */
export const accountRoutes =
  ({ store }: AppDeps, sessions: Sessions, cursors: Cursors): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.post('/api/session', async (request, reply) => {
      const standing = await sessions.find(request);
      if (standing) {
        sessions.renewCookie(request, reply);
        return accountView(store, standing.owner);
      }
      return accountView(store, (await sessions.start(request, reply)).owner);
    });

    const reading = { scope: 'account:read' } as const;
    const account = { operationId: 'getAccount', tags: ['Account'], summary: 'See balances', response: { 200: schemas.accountView } };
    app.get('/api/account', { config: reading, schema: account }, async (request) => accountView(store, (await sessions.require(request)).owner));

    app.get(
      '/api/account/statement',
      {
        config: reading,
        schema: {
          operationId: 'listStatement',
          tags: ['Account'],
          summary: 'List what changed the balances',
          description:
            'Newest first. A transfer between two balances of the account is two rows, and no page ends between them: it may have a row more than `limit`.',
          querystring: Type.Object(schemas.pageQuery(), { additionalProperties: false }),
          response: { 200: schemas.statementPage },
        },
      },
      async (request) => {
        const { owner } = await sessions.require(request);
        const { limit = limits.pageRowsDefault, cursor } = request.query;
        const list = `statement ${owner}`;
        const before = cursors.decode(list, cursor);
        // One transfer more than is shown tells whether there is a next page.
        const entries = await store.ledger.statement(owner, { limit: limit + 1, ...(before === undefined ? {} : { before }) });
        const ids = [...new Set(entries.map(({ transfer }) => transfer.id))];
        const shown = new Set(ids.slice(0, limit));
        const last = ids.length > limit ? (ids[limit - 1] ?? null) : null;
        return { rows: entries.filter(({ transfer }) => shown.has(transfer.id)).map(statementRow), next: cursors.encode(list, last) };
      },
    );

    app.get(
      '/api/account/results',
      {
        config: reading,
        schema: {
          operationId: 'listHistory',
          tags: ['Account'],
          summary: 'List what your contributors computed',
          description: 'Newest first.',
          querystring: schemas.historyQuery,
          response: { 200: schemas.historyPage },
        },
      },
      async (request): Promise<HistoryPage> => {
        const { owner } = await sessions.require(request);
        const ids = (await store.people.contributorsOf(owner)).map(({ id }) => id);
        return historyOf(store, cursors, owner, ids, request.query);
      },
    );

    app.get('/api/account/consents', async (request) => {
      const { owner } = await sessions.require(request);
      const consents = await store.people.consentsOf(owner);
      return { consents: await Promise.all(consents.map((consent) => consentView(store, consent))) };
    });
  };
