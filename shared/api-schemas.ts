import { type Static, type TSchema, Type } from 'typebox';
import { limits } from './limits.ts';
import type { ApiKeyId } from './model.ts';

/** What crosses a wire about API keys, and what lists have in common. Part of schemas.ts, which exports it. */

const closed = { additionalProperties: false } as const;

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

/** The same for people. */
export const scopes: Readonly<Record<Scope, string>> = {
  'jobs:read': 'See jobs, their results and files',
  'jobs:write': 'Quote, submit and change jobs; upload files. Spends credits',
  'account:read': 'See balances and the statement',
  webhooks: 'Register addresses that are told of jobs',
};

export const apiKeyId = Type.Unsafe<ApiKeyId>(Type.String({ pattern: '^tk_[A-Za-z0-9_-]{16}$', examples: ['tk_AbCdEfGhIjKlMnOp'] }));
const budget = Type.String({
  pattern: `^[0-9]{1,${limits.apiKeyBudgetDigitsMax}}$`,
  description: 'What jobs ordered with the key may cost in all, in micro-credits: what they hold while open, what they paid once ended.',
  examples: ['5000000'],
});
const time = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: 'Milliseconds since 1970.' });

export const apiKeyRequest = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: limits.apiKeyNameCharsMax, description: 'For you to tell it from others.', examples: ['Build server'] }),
    scopes: Type.Array(scope, { minItems: 1, maxItems: 4, uniqueItems: true, description: 'What the key may do.' }),
    budgetMicroCredits: Type.Optional(Type.Union([budget, Type.Null()], { description: 'Null or left out: as much as the account has.' })),
    expiresMs: Type.Optional(Type.Union([time, Type.Null()], { description: 'When it ends by itself. Null or left out: never.' })),
  },
  closed,
);
export type ApiKeyRequest = Static<typeof apiKeyRequest>;

export const apiKeyView = Type.Object(
  {
    id: apiKeyId,
    name: Type.String(),
    scopes: Type.Array(scope),
    budgetMicroCredits: Type.Union([budget, Type.Null()], { description: 'Null: as much as the account has.' }),
    spentMicroCredits: Type.String({ pattern: '^[0-9]{1,30}$', description: 'Of the budget: held by open jobs, and paid by ended ones.' }),
    createdMs: time,
    expiresMs: Type.Union([time, Type.Null()]),
    usedMs: Type.Union([time, Type.Null()], { description: 'When it was last used, to the minute. Null: never.' }),
    revokedMs: Type.Union([time, Type.Null()]),
  },
  closed,
);
export type ApiKeyView = Static<typeof apiKeyView>;

export const madeApiKey = Type.Object(
  {
    ...apiKeyView.properties,
    key: Type.String({
      pattern: '^tk_[A-Za-z0-9_-]{16}_[A-Za-z0-9_-]{43}$',
      description: 'The key itself, shown this once: send it as `Authorization: Bearer <key>`.',
    }),
  },
  closed,
);
export type MadeApiKey = Static<typeof madeApiKey>;

/** The answer of what has nothing to tell. */
export const nothing = Type.Object({}, closed);

/** Where a list goes on. */
const cursor = Type.String({ minLength: 1, maxLength: limits.cursorCharsMax, description: '`next` of the page before; left out for the first page.' });

export const pageQuery = (rowsMax: number = limits.pageRowsMax, rowsDefault: number = limits.pageRowsDefault) => ({
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: rowsMax, description: `Entries in the page, at most; ${rowsDefault} when left out.` })),
  cursor: Type.Optional(cursor),
});
const next = Type.Union([Type.String(), Type.Null()], { description: '`cursor` of the next page; null: this is the last one.' });

/** A page of a list under its name. */
export const pageOf = <Name extends string, Row extends TSchema>(name: Name, row: Row) =>
  Type.Object({ [name]: Type.Array(row), next } as { [Key in Name]: ReturnType<typeof Type.Array<Row>> } & { next: typeof next });

export const apiKeyPage = pageOf('keys', apiKeyView);
export type ApiKeyPage = Static<typeof apiKeyPage>;
