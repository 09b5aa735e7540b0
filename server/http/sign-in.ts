import { timingSafeEqual } from 'node:crypto';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { createSignInMessageText } from '@solana/wallet-standard-util';
import { fromBase64Url, toHex } from '../../shared/formats.ts';
import { limits, MINUTE_MS } from '../../shared/limits.ts';
import type { OwnerId } from '../../shared/model.ts';
import type { Challenge, SignIn } from '../../shared/schemas.ts';
import * as schemas from '../../shared/schemas.ts';
import { atCap } from '../caps.ts';
import { newDeviceOwner, walletOwner } from '../ids.ts';
import { isSignatureOf, signingKey } from '../solana.ts';
import { accountView, walletOf } from './account.ts';
import type { AppDeps } from './deps.ts';
import { HttpError } from './errors.ts';
import { originOf } from './security.ts';
import type { Session, Sessions } from './session.ts';

const NONCE_BYTES = 16;
const TRIES = 20;
const TRIES_WINDOW_MS = 10 * MINUTE_MS;
const STATEMENT = 'Sign in to Tessera. This costs nothing and moves no funds.';
const tries = { rateLimit: { max: TRIES, timeWindow: TRIES_WINDOW_MS } };

/** What a wallet is asked to sign. The text is kept whole: verification compares with it, and parses nothing. */
function makeChallenge(address: string, origin: string, nonce: string, now: number): Challenge {
  const input = {
    domain: new URL(origin).host,
    address,
    statement: STATEMENT,
    uri: origin,
    version: '1',
    chainId: 'solana:mainnet',
    nonce,
    issuedAt: new Date(now).toISOString(),
    expirationTime: new Date(now + limits.challengeMsMax).toISOString(),
  };
  return { nonce, text: createSignInMessageText(input), input };
}

/**
 * The wallet that this answer proves, or a refusal. The nonce is consumed before anything else is looked at, so that every
 * challenge can be answered once, whatever the answer.
 */
async function provenWallet({ store, clock }: AppDeps, session: Session, { nonce, signedMessage, signature }: SignIn): Promise<string> {
  const refuse = (message: string, field: string): HttpError => new HttpError('forbidden', message, field);
  const challenge = await store.people.takeChallenge(nonce);
  if (!challenge) throw refuse('This sign-in request is unknown or was used before. Start again.', 'nonce');
  if (!timingSafeEqual(challenge.sessionHash, session.hash)) throw refuse('This sign-in request belongs to another session. Start again.', 'nonce');
  if (challenge.expiresMs <= clock()) throw atCap('challengeMsMax', refuse('This sign-in request has expired. Start again.', 'nonce'));
  const message = fromBase64Url(signedMessage);
  if (!Buffer.from(challenge.text, 'utf8').equals(message)) throw refuse('The wallet signed another text than it was asked to.', 'signedMessage');
  const key = signingKey(challenge.address);
  if (!key || !isSignatureOf(key, message, fromBase64Url(signature))) throw refuse('The signature is not one of this wallet.', 'signature');
  return challenge.address;
}

/** Sign-In With Solana, and out again. */
export const signInRoutes =
  (deps: AppDeps, sessions: Sessions): FastifyPluginAsyncTypebox =>
  async (app) => {
    const { config, store, clock, randomBytes, ownerChanged, sessionEnded } = deps;

    app.post('/api/account/challenge', { config: tries, schema: { body: schemas.challengeRequest } }, async (request): Promise<Challenge> => {
      const session = await sessions.require(request);
      const { address } = request.body;
      if (!signingKey(address)) throw new HttpError('bad_input', 'This is no address that a wallet can sign for.', 'address', 'an Ed25519 key in base58');
      const now = clock();
      const challenge = makeChallenge(address, originOf(config, request), toHex(randomBytes(NONCE_BYTES)), now);
      const { nonce, text } = challenge;
      await store.people.putChallenge({ nonce, address, text, sessionHash: session.hash, expiresMs: now + limits.challengeMsMax });
      return challenge;
    });

    app.post('/api/account/sign-in', { config: tries, schema: { body: schemas.signIn } }, async (request, reply) => {
      const session = await sessions.require(request);
      const wallet = walletOwner(await provenWallet(deps, session, request.body));
      // What a device has goes with its wallet. A wallet that changes to another one takes nothing along.
      const from: OwnerId = walletOf(session.owner) === null ? session.owner : newDeviceOwner(randomBytes);
      await ownerChanged(from, wallet);
      const { hash, expiresMs } = sessions.issue(request, reply);
      await store.people.signIn(wallet, from, session.hash, hash, expiresMs, request.body.nonce, clock());
      sessionEnded(session.hash);
      // Once more: a contributor may have joined under its old owner between the two.
      await ownerChanged(from, wallet);
      return accountView(store, wallet);
    });

    app.post('/api/account/sign-out', { schema: { body: schemas.signOut } }, async (request, reply) => {
      const session = await sessions.find(request);
      if (session) await end(session, request.body?.everywhere === true);
      const { owner } = await sessions.startAnew(request, reply);
      return accountView(store, owner);
    });

    async function end({ hash, owner }: Session, everywhere: boolean): Promise<void> {
      const ended = everywhere ? await store.people.endSessionsOf(owner) : [hash];
      if (!everywhere) await store.people.endSession(hash);
      for (const each of ended) sessionEnded(each);
    }
  };
