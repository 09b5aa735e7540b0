import { createCipheriv, createDecipheriv, createHash, hkdfSync } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { limits } from '../../shared/limits.ts';
import type { OwnerId } from '../../shared/model.ts';
import { canonical } from '../canonical.ts';
import { atCap } from '../caps.ts';
import type { Claim } from '../store/idempotency.ts';
import type { AppDeps } from './deps.ts';
import { HttpError } from './errors.ts';

/*
 * `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): the same key and request get the same answer for a day, also after a
 * restart. What succeeds is kept before it is answered. What fails made nothing, so its key is free again. Between a commit and the
 * keeping of its answer a process may end: a job's transaction therefore notes the job under the key (`writeMade`), and the retry answers
 * with that job. Answers may hold secrets, so they are sealed with the key itself, of which the database has the digest.
 */

const HEADER = 'idempotency-key';
const keyText = new RegExp(`^[\\x21-\\x7e]{1,${limits.idempotencyKeyCharsMax}}$`);
const CIPHER = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;
/** Seconds until one may ask again for a request that is running. */
const RUNNING_RETRY_S = 1;

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

interface Held {
  readonly claim: Claim;
  readonly key: string;
  readonly made: string | null;
}

const held = new WeakMap<FastifyRequest, Held>();

/** What a request is known by when it comes again, and what it has made already. Null: it brought no key. */
export const claimOf = (request: FastifyRequest): { readonly claim: Claim; readonly made: string | null } | null => held.get(request) ?? null;

const digest = (...texts: readonly unknown[]): Uint8Array => createHash('sha256').update(JSON.stringify(texts)).digest();

const sealingKey = (key: string, claim: Claim): Buffer => Buffer.from(hkdfSync('sha256', key, claim.fingerprint, 'tessera/idempotent answer', 32));

function seal(answer: Answer, key: string, claim: Claim, iv: Uint8Array): Uint8Array {
  const cipher = createCipheriv(CIPHER, sealingKey(key, claim), iv);
  return Buffer.concat([iv, cipher.update(JSON.stringify(answer)), cipher.final(), cipher.getAuthTag()]);
}

function unseal(sealed: Uint8Array, key: string, claim: Claim): Answer {
  const decipher = createDecipheriv(CIPHER, sealingKey(key, claim), sealed.subarray(0, IV_BYTES));
  decipher.setAuthTag(sealed.subarray(sealed.byteLength - TAG_BYTES));
  const text = Buffer.concat([decipher.update(sealed.subarray(IV_BYTES, sealed.byteLength - TAG_BYTES)), decipher.final()]);
  return JSON.parse(text.toString()) as Answer;
}

const otherRequest = (): HttpError =>
  new HttpError('bad_input', 'This Idempotency-Key came with another request before. Use a fresh one.', 'Idempotency-Key', 'one key a request', {
    status: 422,
  });

export interface IdempotencyDeps extends Pick<AppDeps, 'store' | 'clock' | 'randomBytes'> {
  readonly ownerOf: (request: FastifyRequest) => Promise<OwnerId | undefined>;
}

/** Honours the header on routes with `config.idempotent`. */
export function addIdempotency(app: FastifyInstance, { store, clock, randomBytes, ownerOf }: IdempotencyDeps): void {
  /** Fingerprints of what is running in this process: the only one there is. */
  const running = new Map<string, Uint8Array>();
  const nameOf = ({ owner, route, keyHash }: Claim): string => JSON.stringify([owner, route, Buffer.from(keyHash).toString('base64')]);

  const isSame = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

  async function claimFor(request: FastifyRequest, reply: FastifyReply, key: string, owner: OwnerId): Promise<FastifyReply | undefined> {
    const route = `${request.method} ${request.routeOptions.url}`;
    const fingerprint = digest(request.url.split('?')[0], canonical(request.body));
    const claim: Claim = { owner, route, keyHash: digest(key), fingerprint, atMs: clock() };
    const name = nameOf(claim);
    const before = running.get(name);
    if (before) {
      if (!isSame(before, fingerprint)) throw otherRequest();
      throw new HttpError('conflict', 'The first request with this Idempotency-Key is still running.', 'Idempotency-Key', undefined, {
        retryAfterS: RUNNING_RETRY_S,
      });
    }
    running.set(name, fingerprint);
    held.set(request, { claim, key, made: null });
    const known = await store.idempotency.find(claim);
    if (!known) return undefined;
    if (!isSame(known.fingerprint, fingerprint)) throw otherRequest();
    if (known.answer === null) {
      held.set(request, { claim, key, made: known.made });
      return undefined;
    }
    const { status, headers, body } = unseal(known.answer, key, claim);
    return reply.code(status).headers(headers).header('idempotency-replayed', 'true').send(body);
  }

  app.addHook('preHandler', async (request, reply) => {
    const key = request.headers[HEADER];
    if (!request.routeOptions.config.idempotent || key === undefined) return undefined;
    if (typeof key !== 'string' || !keyText.test(key))
      throw atCap(
        'idempotencyKeyCharsMax',
        new HttpError(
          'bad_input',
          'This is no Idempotency-Key.',
          'Idempotency-Key',
          `1 to ${limits.idempotencyKeyCharsMax} visible ASCII characters, such as a UUID`,
        ),
      );
    const owner = await ownerOf(request);
    return owner === undefined ? undefined : claimFor(request, reply, key, owner);
  });

  app.addHook('onSend', async (request, reply, payload) => {
    const mine = held.get(request);
    if (!mine) return payload;
    held.delete(request);
    const { claim, key } = mine;
    try {
      const replayed = reply.hasHeader('idempotency-replayed');
      if (!replayed && reply.statusCode < 300 && typeof payload === 'string') {
        const kept = ['content-type', 'location', 'cache-control'].flatMap((name) => {
          const value = reply.getHeader(name);
          return value === undefined ? [] : [[name, String(value)] as const];
        });
        const answer = { status: reply.statusCode, headers: Object.fromEntries(kept), body: payload };
        await store.idempotency.keepAnswer(claim, seal(answer, key, claim, randomBytes(IV_BYTES)));
      }
    } finally {
      running.delete(nameOf(claim));
    }
    return payload;
  });
}
