import { createHash, timingSafeEqual } from 'node:crypto';
import type { Server, Socket } from 'socket.io';
import { decodeResult, FormatError, fromBase64Url, type LeaseBody } from '../../shared/formats.ts';
import { limits } from '../../shared/limits.ts';
import type { BlobHash, ConsentId, ContributorId, JobId } from '../../shared/model.ts';
import { type HandedIn, namespaces, PROTOCOL_VERSION, type VerdictMessage, type Welcome, type Work } from '../../shared/protocol.ts';
import * as schemas from '../../shared/schemas.ts';
import type { Coordinator } from '../coordinator.ts';
import { earnedAccount } from '../core/ledger.ts';
import type { ActiveLease, Event } from '../core/state.ts';
import { newResultId } from '../ids.ts';
import type { BlobStore, Store } from '../store/store.ts';
import { commandsOf, Refusal } from './connect.ts';

export interface ContributeDeps {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly coordinator: Coordinator;
  readonly clock: () => number;
  readonly randomBytes: (length: number) => Uint8Array;
  readonly log: { error(fields: object, message: string): void };
}

interface Session {
  readonly socket: Socket;
  readonly contributor: ContributorId;
  readonly consent: ConsentId;
  readonly consentExpiresMs: number;
  /** Jobs this connection has been told about. */
  readonly told: Set<JobId>;
}

/** The edge for contributors' engines. One connection a contributor: a newer one replaces the older. */
export function serveContributors(io: Server, deps: ContributeDeps): { endConsent(consent: ConsentId): void } {
  const sessions = new Map<ContributorId, Session>();
  deps.coordinator.onEvents((events) => {
    for (const event of events) announce(deps, sessions, event);
  });

  io.of(namespaces.contribute).on('connection', (socket) => {
    let session: Session | undefined;
    const current = (): Session => {
      if (!session) throw new Refusal('forbidden', 'Say hello first.');
      if (session.consentExpiresMs <= deps.clock()) throw new Refusal('forbidden', 'The consent has expired; agree again to go on.', 'consent');
      return session;
    };
    const on = commandsOf(socket, deps.log);
    on('hello', schemas.hello, async (message): Promise<Welcome> => {
      if (session) throw new Refusal('conflict', 'This connection has said hello already.');
      const admitted = await admit(deps, socket, message);
      session = admitted.session;
      sessions.get(session.contributor)?.socket.disconnect(true);
      sessions.set(session.contributor, session);
      return admitted.welcome;
    });
    on('work', schemas.workRequest, async ({ leasesMax }): Promise<Work> => {
      const { contributor } = current();
      return workOf(deps, current(), await deps.coordinator.dispatch({ type: 'requestWork', contributor, leasesMax }));
    });
    on('handIn', schemas.handIn, (message): Promise<HandedIn> => takeResult(deps, current(), message));
    on('giveBack', schemas.giveBack, async ({ tokens }): Promise<null> => {
      await deps.coordinator.dispatch({ type: 'returnLeases', contributor: current().contributor, tokens });
      return null;
    });
    socket.on('disconnect', () => {
      if (!session || sessions.get(session.contributor) !== session) return;
      sessions.delete(session.contributor);
      void deps.coordinator.dispatch({ type: 'leave', contributor: session.contributor }).catch(() => undefined);
    });
  });

  return {
    endConsent(consent) {
      for (const { socket, consent: standing } of sessions.values()) {
        if (standing !== consent) continue;
        socket.emit('consent:ended', { reason: 'The consent was withdrawn.' });
        socket.disconnect();
      }
    },
  };
}

/** Who says hello must know the contributor's secret and stand on a consent of it that has neither ended nor expired. */
async function admit(deps: ContributeDeps, socket: Socket, message: schemas.Hello): Promise<{ session: Session; welcome: Welcome }> {
  const { store, clock, coordinator } = deps;
  if (message.protocol !== PROTOCOL_VERSION)
    throw new Refusal('stale', 'This page is older or newer than the coordinator. Reload it.', 'protocol', String(PROTOCOL_VERSION));
  const contributor = await store.people.contributor(message.contributor);
  const given = createHash('sha256').update(fromBase64Url(message.secret)).digest();
  if (!contributor || !timingSafeEqual(contributor.secretHash, given)) throw new Refusal('forbidden', 'This contributor is not known here.', 'contributor');
  const consent = await store.people.consent(message.consent);
  if (!consent || consent.contributor !== contributor.id || consent.revokedMs !== null || consent.expiresMs <= clock())
    throw new Refusal('forbidden', 'There is no standing consent; agree again to go on.', 'consent');
  const site = consent.site === null ? undefined : await store.people.site(consent.site);
  const { id, owner, accepted, refuted, suspendedUntilMs } = contributor;
  const sharePercent = site?.sharePercent ?? 0;
  await coordinator.dispatch({
    type: 'join',
    contributor: { id, owner, site: site?.id ?? null, sharePercent, kinds: new Set(consent.kinds), accepted, refuted, suspendedUntilMs },
  });
  const earned = await store.ledger.balance(earnedAccount(owner), 'test');
  return {
    session: { socket, contributor: id, consent: consent.id, consentExpiresMs: consent.expiresMs, told: new Set() },
    welcome: { earnedMicroCredits: earned.toString(), sharePercent, serverTimeMs: clock() },
  };
}

/** Turns the events of a step into the answer that carries new leases; refusals become errors. */
function workOf({ coordinator }: ContributeDeps, session: Session, events: readonly Event[]): Work {
  refuse(events);
  const granted = events.find((event) => event.type === 'leased');
  const leases: readonly ActiveLease[] = granted?.leases ?? [];
  const fresh = [...new Set(leases.map(({ job }) => job))].filter((id) => !session.told.has(id));
  const jobs = fresh.flatMap((id) => {
    const job = coordinator.openJob(id);
    if (!job) return [];
    session.told.add(id);
    const { workload, version, title, seed, params, prepared, inputs } = job.stored;
    return [{ id, workload, version, title, seed, params, prepared, inputs, progress: job.partsAccepted / job.partsTotal }];
  });
  return { leases: leases.map(({ token, job, at, parts, deadlineMs }) => ({ token, job, at, parts, deadlineMs })), jobs, retryMs: granted?.retryMs ?? null };
}

function refuse(events: readonly Event[]): void {
  const refused = events.find((event) => event.type === 'refused');
  if (refused) throw new Refusal(refused.code, refused.message, refused.field, refused.limit);
}

/** Throws a `Refusal` unless the token is ours and this contributor's. Expiry is judged by the core, which knows repeats. */
function readLease(coordinator: Coordinator, token: string): LeaseBody {
  try {
    return coordinator.readLease(token);
  } catch (error) {
    if (error instanceof FormatError) throw new Refusal('forbidden', error.message, 'token');
    throw error;
  }
}

async function takeResult(deps: ContributeDeps, session: Session, message: schemas.HandIn): Promise<HandedIn> {
  const { coordinator } = deps;
  const lease = readLease(coordinator, message.token);
  if (lease.contributor !== session.contributor) throw new Refusal('forbidden', 'This lease belongs to another contributor.', 'token');
  const job = coordinator.openJob(lease.job);
  if (!job) throw new Refusal('conflict', 'This job is not open any more.', 'token');
  const bytes = await bytesOf(deps, message);
  try {
    decodeResult(bytes, message.parts, job.spec.partBytes(job.context, lease.at));
  } catch (error) {
    if (error instanceof FormatError) throw new Refusal('bad_input', error.message, 'inline');
    throw error;
  }
  const { parts, hash, computeMs } = message;
  const inline = message.inline === null ? null : bytes;
  const events = await coordinator.dispatch({
    type: 'handIn',
    id: newResultId(deps.randomBytes),
    lease,
    parts,
    hash,
    sizeBytes: bytes.byteLength,
    inline,
    computeMs,
  });
  refuse(events);
  const more = message.leasesMax > 0 ? await coordinator.dispatch({ type: 'requestWork', contributor: session.contributor, leasesMax: message.leasesMax }) : [];
  return { stored: true, work: workOf(deps, session, more) };
}

/** The bytes a hand-in speaks of, hashed by us: inline, or put to /blobs before. */
async function bytesOf({ blobs }: ContributeDeps, { inline, hash }: schemas.HandIn): Promise<Uint8Array> {
  if (inline === null) {
    const stored = await blobs.get(hash as BlobHash);
    if (!stored) throw new Refusal('bad_input', 'PUT the bytes to /blobs/ and this hash first.', 'hash');
    return stored;
  }
  if (!(inline instanceof Uint8Array)) throw new Refusal('bad_input', 'inline must be bytes.', 'inline');
  if (inline.byteLength > limits.inlineResultBytesMax)
    throw new Refusal('too_large', `inline has ${inline.byteLength} bytes.`, 'inline', `at most ${limits.inlineResultBytesMax} bytes`);
  const bytes = new Uint8Array(inline);
  if (createHash('sha256').update(bytes).digest('hex') !== hash) throw new Refusal('bad_input', 'The bytes do not have this hash.', 'hash');
  return bytes;
}

/** Facts for one contributor each. */
function announce(deps: ContributeDeps, sessions: ReadonlyMap<ContributorId, Session>, event: Event): void {
  if (event.type === 'leasesVoided') sessions.get(event.contributor)?.socket.emit('leases:void', { tokens: event.tokens, reason: event.reason });
  if (event.type === 'workAvailable') for (const id of event.contributors) sessions.get(id)?.socket.emit('work:available');
  if (event.type === 'verdict' && event.state !== 'discarded') void announceVerdict(deps, sessions.get(event.contributor), { ...event, verdict: event.state });
}

async function announceVerdict(
  { store }: ContributeDeps,
  session: Session | undefined,
  { job, at, parts, verdict, reason, microCredits, owner }: Extract<Event, { type: 'verdict' }> & { verdict: VerdictMessage['verdict'] },
): Promise<void> {
  if (!session) return;
  const earned = await store.ledger.balance(earnedAccount(owner), 'test');
  const message: VerdictMessage = { job, at, parts, verdict, reason, microCredits: microCredits.toString(), earnedMicroCredits: earned.toString() };
  session.socket.emit('verdict', message);
}
