import { timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { fromBase64Url } from '../../shared/formats.ts';
import { MINUTE_MS } from '../../shared/limits.ts';
import type { ApiKeyId } from '../../shared/model.ts';
import type { StoredApiKey } from '../store/api-keys.ts';
import type { AppDeps } from './deps.ts';
import { HttpError } from './errors.ts';
import { digestOf } from './session.ts';

const credentials = /^bearer /i;
const keyText = /^bearer (tk_[A-Za-z0-9_-]{16})_([A-Za-z0-9_-]{43})$/i;
/** When a key was last used is written so often at most. */
const TOUCH_MS = MINUTE_MS;

const refused = (message: string): HttpError =>
  new HttpError('signed_out', message, 'Authorization', 'Bearer tk_<id>_<secret>', { challenge: 'Bearer realm="tessera", error="invalid_token"' });

/** API keys in `Authorization: Bearer` (RFC 6750). The database has digests of their secrets; nothing here logs a header. */
export class ApiKeys {
  readonly #deps: Pick<AppDeps, 'store' | 'clock'>;
  /** A request's key is looked up once, however many ask for it. */
  readonly #found = new WeakMap<FastifyRequest, Promise<StoredApiKey | undefined>>();

  constructor(deps: Pick<AppDeps, 'store' | 'clock'>) {
    this.#deps = deps;
  }

  /** The standing key that the request brings; undefined without one. Throws `HttpError` (401) for one that is wrong, revoked or expired. */
  find(request: FastifyRequest): Promise<StoredApiKey | undefined> {
    const known = this.#found.get(request);
    if (known) return known;
    const found = this.#read(request.headers.authorization);
    this.#found.set(request, found);
    return found;
  }

  async #read(authorization: string | undefined): Promise<StoredApiKey | undefined> {
    if (authorization === undefined || !credentials.test(authorization)) return undefined;
    const { store, clock } = this.#deps;
    const [, id, secret] = keyText.exec(authorization) ?? [];
    const key = id === undefined ? undefined : await store.apiKeys.get(id as ApiKeyId);
    if (!key || secret === undefined || !timingSafeEqual(key.secretHash, digestOf(fromBase64Url(secret)))) throw refused('This API key is not known here.');
    const now = clock();
    if (key.revokedMs !== null) throw refused('This API key was revoked.');
    if (key.expiresMs !== null && key.expiresMs <= now) throw refused('This API key has expired.');
    if (key.usedMs === null || now - key.usedMs >= TOUCH_MS) await store.apiKeys.touch(key.id, now);
    return key;
  }
}

/** A key opens the routes that its scopes name, and no others. After requests were counted, before their bodies are read. */
export function guardKeys(app: FastifyInstance, apiKeys: ApiKeys): void {
  app.addHook('preParsing', async (request) => {
    if (request.routeOptions.config.ownBearer) return;
    const key = await apiKeys.find(request);
    if (!key || request.is404) return;
    const { scope } = request.routeOptions.config;
    if (scope === undefined) throw new HttpError('forbidden', 'API keys may not do this: it is for sessions only.', 'Authorization');
    if (scope === 'any' || key.scopes.includes(scope)) return;
    const challenge = `Bearer realm="tessera", error="insufficient_scope", scope="${scope}"`;
    throw new HttpError('forbidden', `This API key lacks the scope ${scope}.`, 'Authorization', scope, { challenge });
  });
}
