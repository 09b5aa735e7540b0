import { createHash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { fromBase64Url, toBase64Url } from '../../shared/formats.ts';
import { limits, SECOND_MS } from '../../shared/limits.ts';
import type { ApiKeyId, OwnerId } from '../../shared/model.ts';
import { newDeviceOwner } from '../ids.ts';
import type { Transfer } from '../store/store.ts';
import type { ApiKeys } from './bearer.ts';
import type { AppDeps } from './deps.ts';
import { HttpError } from './errors.ts';
import { isSecureContext } from './security.ts';

const SECRET_BYTES = 32;
const secretText = /^[A-Za-z0-9_-]{43}$/;

/** Only the digest of a secret is stored: who reads the database cannot use what he finds. */
export const digestOf = (secret: Uint8Array): Uint8Array => createHash('sha256').update(secret).digest();

type Cookies = Readonly<Record<string, string | undefined>>;

export interface Session {
  readonly owner: OwnerId;
  /** What the store knows the session, or the secret of the API key, by. */
  readonly hash: Uint8Array;
  /** The key that the request came with in place of a session. */
  readonly apiKey: ApiKeyId | null;
}

/** Browser sessions: a random secret in a cookie that scripts cannot read, its digest in the store. An API key stands for one of its owner. */
export class Sessions {
  readonly #deps: Pick<AppDeps, 'config' | 'store' | 'clock' | 'randomBytes'>;
  readonly #apiKeys: ApiKeys;
  readonly #mayGrant: (request: FastifyRequest) => Promise<boolean>;

  /** `mayGrant` counts what an address was given; beyond its cap new sessions work, but get nothing to spend. */
  constructor(deps: Pick<AppDeps, 'config' | 'store' | 'clock' | 'randomBytes'>, apiKeys: ApiKeys, mayGrant: (request: FastifyRequest) => Promise<boolean>) {
    this.#deps = deps;
    this.#apiKeys = apiKeys;
    this.#mayGrant = mayGrant;
  }

  /** `__Host-` keeps other hosts of the same domain from planting a session here. */
  #cookieName(request: FastifyRequest): string {
    return isSecureContext(this.#deps.config, request) ? '__Host-tessera' : 'tessera';
  }

  #secretOf(request: FastifyRequest): string | undefined {
    const value = request.cookies[this.#cookieName(request)];
    return value !== undefined && secretText.test(value) ? value : undefined;
  }

  /** An API key goes before a cookie. Whether it may do what the request asks for was decided before (`guardKeys`). */
  async find(request: FastifyRequest): Promise<Session | undefined> {
    const key = await this.#apiKeys.find(request);
    if (key) return { owner: key.owner, hash: key.secretHash, apiKey: key.id };
    const secret = this.#secretOf(request);
    if (secret === undefined) return undefined;
    const hash = digestOf(fromBase64Url(secret));
    const owner = await this.#deps.store.people.sessionOwner(hash, this.#deps.clock());
    return owner && { owner, hash, apiKey: null };
  }

  async require(request: FastifyRequest): Promise<Session> {
    const session = await this.find(request);
    if (!session) throw new HttpError('signed_out', 'Start a session first: POST /api/session, or bring an API key.');
    return session;
  }

  /** Who the request's session or API key belongs to; undefined without one. */
  readonly ownerOf = async (request: FastifyRequest): Promise<OwnerId | undefined> => (await this.find(request))?.owner;

  /** The same for a socket, which has cookies and no request. It may look, and changes nothing: so either name of the cookie will do. */
  async ownerOfCookies(cookies: Cookies): Promise<OwnerId | undefined> {
    const hash = this.hashOfCookies(cookies);
    return hash && this.#deps.store.people.sessionOwner(hash, this.#deps.clock());
  }

  /** What the store knows the session of these cookies by, whether there is one or not. */
  hashOfCookies(cookies: Cookies): Uint8Array | undefined {
    const secret = cookies['__Host-tessera'] ?? cookies.tessera;
    return secret !== undefined && secretText.test(secret) ? digestOf(fromBase64Url(secret)) : undefined;
  }

  /** Makes a device owner with its session and the test grant. */
  async start(request: FastifyRequest, reply: FastifyReply): Promise<Session> {
    return this.#createDevice(request, reply, await this.#mayGrant(request));
  }

  /** A fresh device in place of a session that was left. Without a grant, or signing out would print credits. */
  startAnew(request: FastifyRequest, reply: FastifyReply): Promise<Session> {
    return this.#createDevice(request, reply, false);
  }

  async #createDevice(request: FastifyRequest, reply: FastifyReply, withGrant: boolean): Promise<Session> {
    const owner = newDeviceOwner(this.#deps.randomBytes);
    const { hash, expiresMs } = this.issue(request, reply);
    await this.#deps.store.people.createDevice(owner, hash, expiresMs, withGrant ? grantTo(owner, this.#deps.clock()) : null);
    return { owner, hash, apiKey: null };
  }

  /** Puts a fresh secret into the answer's cookie. The caller stores its digest. */
  issue(request: FastifyRequest, reply: FastifyReply): { readonly hash: Uint8Array; readonly expiresMs: number } {
    const secret = this.#deps.randomBytes(SECRET_BYTES);
    this.#setCookie(request, reply, toBase64Url(secret));
    return { hash: digestOf(secret), expiresMs: this.#deps.clock() + limits.sessionMsMax };
  }

  /** The browser's copy lives on as long as the store's. */
  renewCookie(request: FastifyRequest, reply: FastifyReply): void {
    const secret = this.#secretOf(request);
    if (secret !== undefined) this.#setCookie(request, reply, secret);
  }

  /** The browser has no session any more. */
  clearCookie(request: FastifyRequest, reply: FastifyReply): void {
    reply.clearCookie(this.#cookieName(request), { path: '/', secure: isSecureContext(this.#deps.config, request) });
  }

  #setCookie(request: FastifyRequest, reply: FastifyReply, value: string): void {
    const secure = isSecureContext(this.#deps.config, request);
    reply.setCookie(this.#cookieName(request), value, { path: '/', httpOnly: true, sameSite: 'lax', secure, maxAge: limits.sessionMsMax / SECOND_MS });
  }
}

const grantTo = (owner: OwnerId, atMs: number): Transfer => ({
  id: `grant/${owner}`,
  unit: 'test',
  debit: 'operator/issuance',
  credit: `${owner}/grant`,
  microCredits: limits.testGrantMicroCredits,
  kind: 'grant',
  job: null,
  at: null,
  atMs,
});
