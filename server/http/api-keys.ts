import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { MicroCredits } from '../../shared/credits.ts';
import { toBase64Url } from '../../shared/formats.ts';
import { limits, MINUTE_MS } from '../../shared/limits.ts';
import * as schemas from '../../shared/schemas.ts';
import { atCap } from '../caps.ts';
import { newApiKeyId } from '../ids.ts';
import type { StoredApiKey } from '../store/api-keys.ts';
import { type Cursors, NEWEST } from './cursors.ts';
import type { AppDeps } from './deps.ts';
import { HttpError } from './errors.ts';
import { digestOf, type Sessions } from './session.ts';

const SECRET_BYTES = 32;
const keyPath = Type.Object({ key: schemas.apiKeyId });
/** Nobody needs many, and each is a row for ever. */
const making = { rateLimit: { max: 30, timeWindow: MINUTE_MS }, idempotent: true };

const viewOf = ({ id, name, scopes, budget, createdMs, expiresMs, usedMs, revokedMs }: StoredApiKey, spent: MicroCredits): schemas.ApiKeyView => ({
  id,
  name,
  scopes: [...scopes],
  budgetMicroCredits: budget === null ? null : budget.toString(),
  spentMicroCredits: spent.toString(),
  createdMs,
  expiresMs,
  usedMs,
  revokedMs,
});

/** API keys of an account, for its sessions alone: a key that could make keys could not be taken away. */
export const apiKeyRoutes =
  ({ store, clock, randomBytes }: AppDeps, sessions: Sessions, cursors: Cursors): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.post(
      '/api/keys',
      {
        config: making,
        schema: {
          operationId: 'makeApiKey',
          tags: ['API keys'],
          summary: 'Make an API key',
          description: 'The answer shows the key this once; the coordinator keeps a digest of it.',
          body: schemas.apiKeyRequest,
          response: { 201: schemas.madeApiKey },
        },
      },
      async (request, reply) => {
        const { owner } = await sessions.require(request);
        const { name, scopes, budgetMicroCredits = null, expiresMs = null } = request.body;
        const now = clock();
        if (name.trim() === '') throw new HttpError('bad_input', 'A key needs a name.', 'name', `1 to ${limits.apiKeyNameCharsMax} characters`);
        if (expiresMs !== null && expiresMs <= now) throw new HttpError('bad_input', 'This time is over.', 'expiresMs', `later than ${now}`);
        const secret = randomBytes(SECRET_BYTES);
        const key: StoredApiKey = {
          id: newApiKeyId(randomBytes),
          owner,
          name: name.trim(),
          secretHash: digestOf(secret),
          scopes,
          budget: budgetMicroCredits === null ? null : BigInt(budgetMicroCredits),
          createdMs: now,
          expiresMs,
          usedMs: null,
          revokedMs: null,
        };
        if (!(await store.apiKeys.create(key, limits.apiKeysPerOwnerMax)))
          throw atCap(
            'apiKeysPerOwnerMax',
            new HttpError('too_many', 'You have as many API keys as one can. Revoke one first.', undefined, `${limits.apiKeysPerOwnerMax} keys`),
          );
        return reply
          .code(201)
          .header('cache-control', 'no-store')
          .send({ ...viewOf(key, 0n), key: `${key.id}_${toBase64Url(secret)}` });
      },
    );

    app.get(
      '/api/keys',
      {
        schema: {
          operationId: 'listApiKeys',
          tags: ['API keys'],
          summary: 'List API keys',
          description: 'Newest first, revoked ones among them.',
          querystring: Type.Object(schemas.pageQuery(), { additionalProperties: false }),
          response: { 200: schemas.apiKeyPage },
        },
      },
      async (request) => {
        const { owner } = await sessions.require(request);
        const { limit = limits.pageRowsDefault, cursor } = request.query;
        const list = `keys ${owner}`;
        const { keys, nextSeq } = await store.apiKeys.page(owner, { limit, beforeSeq: cursors.decodeNumber(list, cursor, NEWEST) });
        return { keys: keys.map((key) => viewOf(key, key.spent)), next: cursors.encode(list, nextSeq) };
      },
    );

    app.delete(
      '/api/keys/:key',
      {
        schema: {
          operationId: 'revokeApiKey',
          tags: ['API keys'],
          summary: 'Revoke an API key',
          description: 'It opens nothing from now on. Jobs that it ordered go on.',
          params: keyPath,
          response: { 200: schemas.nothing },
        },
      },
      async (request) => {
        const { owner } = await sessions.require(request);
        const key = await store.apiKeys.get(request.params.key);
        if (key?.owner !== owner) throw new HttpError('not_found', 'There is no such API key.', 'key');
        await store.apiKeys.revoke(key.id, clock());
        return {};
      },
    );
  };
