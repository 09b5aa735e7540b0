import { type Static, Type } from 'typebox';

/** What an API key may be allowed to do. */
export const scope = Type.Union([
  /** See jobs, their results and files. */
  Type.Literal('jobs:read'),
  /** Quote, submit and change jobs, and upload files for them. Spends, up to the key's budget. */
  Type.Literal('jobs:write'),
  /** See balances and the statement. */
  Type.Literal('account:read'),
  /** Register addresses that are told of jobs. */
  Type.Literal('webhooks'),
]);
export type Scope = Static<typeof scope>;
