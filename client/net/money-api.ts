import type { EarningsProof, MoneyView, WithdrawalAsked, WithdrawalSignature, WithdrawalView } from '../../shared/money-schemas.ts';
import { call, textOf } from './api.ts';

/** Of the whole statement, for links: every row, newest first. */
export const statementCsvUrl = '/api/account/statement.csv';

/** Routes of money; each but `view` needs a session, and throws `ApiError`. */
export const moneyApi = {
  view: () => call<MoneyView>('GET', '/api/money'),
  /** `key` tells retries of one attempt from another attempt: a UUID. */
  withdraw: (microCredits: bigint, key: string) =>
    call<WithdrawalAsked>('POST', '/api/account/withdrawals', { microCredits: microCredits.toString() }, undefined, { 'idempotency-key': key }),
  confirm: (id: string, body: WithdrawalSignature) => call<WithdrawalView>('POST', `/api/account/withdrawals/${id}/confirm`, body),
  withdrawals: async () => (await call<{ withdrawals: WithdrawalView[] }>('GET', '/api/account/withdrawals')).withdrawals,
  earnings: async () => (await call<{ proof: EarningsProof | null }>('GET', '/api/account/earnings')).proof,
  statementCsv: () => textOf(statementCsvUrl),
};
