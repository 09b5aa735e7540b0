import type { FastifyReply, FastifyRequest } from 'fastify';
import { fromBase64Url, toBase64Url } from '../../shared/formats.ts';
import { limits, SECOND_MS } from '../../shared/limits.ts';
import { newOperatorSessionId } from '../ids.ts';
import { useLink } from '../operator-link.ts';
import type { AppDeps } from './deps.ts';
import { HttpError } from './errors.ts';
import { isOwnOrigin, isSecureContext } from './security.ts';
import { digestOf } from './session.ts';

const SECRET_BYTES = 32;
const secretText = /^[A-Za-z0-9_-]{43}$/;

export interface OperatorSession {
  readonly id: string;
  readonly expiresMs: number;
}

/**
 * Sessions of operators: apart from those of requesters, made by a link from the machine alone, twelve hours long. The cookie is sent
 * with requests of our own pages only, and every request is looked at once more.
 */
export class OperatorSessions {
  readonly #deps: Pick<AppDeps, 'config' | 'store' | 'clock' | 'randomBytes'>;

  constructor(deps: Pick<AppDeps, 'config' | 'store' | 'clock' | 'randomBytes'>) {
    this.#deps = deps;
  }

  #cookieName(request: FastifyRequest): string {
    return isSecureContext(this.#deps.config, request) ? '__Host-tessera-operator' : 'tessera-operator';
  }

  /** The session of a request that a page of our own has made. Throws for every other. */
  async require(request: FastifyRequest): Promise<OperatorSession> {
    this.#refuseForeign(request);
    const value = request.cookies[this.#cookieName(request)];
    const { store, clock } = this.#deps;
    const session = value && secretText.test(value) ? await store.moderation.operatorSession(digestOf(fromBase64Url(value)), clock()) : undefined;
    if (!session) throw new HttpError('signed_out', 'This needs an operator’s session. On the coordinator’s machine: npm run operator.');
    return session;
  }

  /** Takes the token of a link, once. */
  async begin(request: FastifyRequest, reply: FastifyReply, token: string): Promise<OperatorSession> {
    this.#refuseForeign(request);
    const { config, store, clock, randomBytes } = this.#deps;
    const now = clock();
    if (!useLink(config.dataDir, token, now))
      throw new HttpError(
        'forbidden',
        'This link was used, has ended, or is not of this coordinator. On its machine, npm run operator makes another.',
        'token',
      );
    const secret = randomBytes(SECRET_BYTES);
    const session = { id: newOperatorSessionId(randomBytes), expiresMs: now + limits.operatorSessionMsMax };
    const entry = { atMs: now, session: session.id, action: 'signed in', target: '', reason: 'With a link made on the machine.' } as const;
    await store.moderation.act([entry], [{ kind: 'sessionMade', hash: digestOf(secret), atMs: now, ...session }]);
    this.#setCookie(request, reply, toBase64Url(secret), limits.operatorSessionMsMax / SECOND_MS);
    return session;
  }

  async end(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const { id } = await this.require(request);
    const entry = { atMs: this.#deps.clock(), session: id, action: 'signed out', target: '', reason: 'By hand.' } as const;
    await this.#deps.store.moderation.act([entry], [{ kind: 'sessionEnded', id }]);
    this.#setCookie(request, reply, '', 0);
  }

  /** Every browser names the origin of what changes something; of a look it tells at most that it is ours. */
  #refuseForeign(request: FastifyRequest): void {
    const { origin, 'sec-fetch-site': site } = request.headers;
    const named = origin !== undefined || request.method === 'GET';
    if (!named || !isOwnOrigin(this.#deps.config, origin, request.host) || (site !== undefined && site !== 'same-origin'))
      throw new HttpError('forbidden', 'This is done on the operator’s own page, and nowhere else.', 'origin');
  }

  #setCookie(request: FastifyRequest, reply: FastifyReply, value: string, maxAge: number): void {
    const secure = isSecureContext(this.#deps.config, request);
    reply.setCookie(this.#cookieName(request), value, { path: '/', httpOnly: true, sameSite: 'strict', secure, maxAge });
  }
}
