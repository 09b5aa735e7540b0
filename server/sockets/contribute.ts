import { createHash } from 'node:crypto';
import type { Server } from 'socket.io';
import { openingBytesMax, saltOf } from '../../shared/commitment.ts';
import { decodeResult, encodeAuditElements, FormatError, fromHex, type LeaseBody } from '../../shared/formats.ts';
import { limits } from '../../shared/limits.ts';
import type { ConsentId, ContributorId, SiteId } from '../../shared/model.ts';
import { type Answered, type HandedIn, type JobBrief, namespaces, type VerdictMessage, type Welcome, type Work } from '../../shared/protocol.ts';
import * as schemas from '../../shared/schemas.ts';
import { atCap, hit } from '../caps.ts';
import type { Coordinator } from '../coordinator.ts';
import type { ActiveAudit, ActiveLease, Event } from '../core/state.ts';
import { newResultId } from '../ids.ts';
import { admit, balancesOf, type ContributeDeps, type Session } from './admit.ts';
import { commandsOf, Refusal, unreadyOf } from './connect.ts';

/** The edge for contributors' engines. One connection a contributor, and one a browser, whatever sites it is on: a newer one replaces the older. */
export function serveContributors(io: Server, deps: ContributeDeps): { endConsent(consent: ConsentId): void; endSite(site: SiteId, reason: string): void } {
  const sessions = new Map<ContributorId, Session>();
  deps.coordinator.onEvents((events) => {
    for (const event of events) announce(deps, sessions, event);
  });

  io.of(namespaces.contribute).on('connection', (socket) => {
    let session: Session | undefined;
    const current = (): Session => {
      if (!session) throw new Refusal('forbidden', 'Say hello first.');
      if (session.consentExpiresMs <= deps.clock())
        throw atCap('consentMsMax', new Refusal('forbidden', 'The consent has expired; agree again to go on.', 'consent'));
      if (session.site !== null && deps.isSuspended(session.site)) throw new Refusal('forbidden', 'This site is suspended.', 'consent');
      return session;
    };
    const on = commandsOf(socket, deps.log);
    on('hello', schemas.hello, async (message): Promise<Welcome> => {
      if (session) throw new Refusal('conflict', 'This connection has said hello already.');
      const admitted = await admit(deps, socket, message);
      session = admitted.session;
      socket.data.contributor = session.contributor;
      const older = sameEngine(sessions, session);
      sessions.set(session.contributor, session);
      for (const { socket: theirs } of older) theirs.disconnect(true);
      return admitted.welcome;
    });
    on('work', schemas.workRequest, async ({ leasesMax, downloadBytesMax }): Promise<Work> => {
      const { contributor } = current();
      return workOf(deps, current(), await deps.coordinator.dispatch({ type: 'requestWork', contributor, leasesMax, downloadBytesMax }));
    });
    on('handIn', schemas.handIn, (message): Promise<HandedIn> => takeResult(deps, current(), message));
    on('open', schemas.open, (message): Promise<null> => takeOpening(deps, current(), message));
    on('answer', schemas.answer, (message): Promise<Answered> => takeAnswer(deps, current(), message));
    on('giveBack', schemas.giveBack, async ({ tokens, unopened = [] }): Promise<null> => {
      await deps.coordinator.dispatch({ type: 'giveBack', contributor: current().contributor, tokens, unopened });
      return null;
    });
    on('prefer', schemas.preferences, async (preferences): Promise<null> => {
      refuse(await deps.coordinator.dispatch({ type: 'prefer', contributor: current().contributor, preferences }));
      return null;
    });
    socket.on('disconnect', () => {
      if (!session || sessions.get(session.contributor) !== session) return;
      sessions.delete(session.contributor);
      void deps.coordinator.dispatch({ type: 'leave', contributor: session.contributor }).catch(() => undefined);
    });
  });

  const end = (reason: string, concerns: (session: Session) => boolean): void => {
    for (const session of [...sessions.values()].filter(concerns)) {
      session.socket.emit('consent:ended', { reason });
      session.socket.disconnect();
    }
  };
  return {
    endConsent: (consent) => end('The consent was withdrawn.', (session) => session.consent === consent),
    endSite: (site, reason) => end(reason, (session) => session.site === site),
  };
}

/** Connections that this one takes the place of. */
function sameEngine(sessions: ReadonlyMap<ContributorId, Session>, { contributor, browser }: Session): Session[] {
  return [...sessions.values()].filter((other) => other.contributor === contributor || (browser !== null && other.browser === browser));
}

/** Turns the events of a step into the answer that carries new leases; refusals become errors. */
async function workOf({ coordinator, store, clock }: ContributeDeps, session: Session, events: readonly Event[]): Promise<Work> {
  refuse(events);
  const granted = events.find((event) => event.type === 'leased');
  const leases: readonly ActiveLease[] = granted?.leases ?? [];
  const audits: readonly ActiveAudit[] = granted?.audits ?? [];
  const fresh = [...new Set([...audits, ...leases].map(({ job }) => job))].filter((id) => session.told.get(id) !== coordinator.openJob(id)?.stored.extensions);
  const found = fresh.map(async (id): Promise<JobBrief | undefined> => {
    const job = coordinator.openJob(id);
    if (!job) return undefined;
    session.told.set(id, job.stored.extensions);
    const { workload, version, title, seed, params, prepared, inputs, group } = job.stored;
    const name = group?.mode === 'only' ? (await store.groups.get(group.id))?.name : undefined;
    const brief = { id, workload, version, title, seed, params, prepared, inputs, progress: job.partsAccepted / job.partsTotal, requester: job.requester };
    return name === undefined ? brief : { ...brief, group: name };
  });
  const jobs = (await Promise.all(found)).filter((brief) => brief !== undefined);
  return {
    leases: leases.map(({ token, job, at, parts, deadlineMs }) => ({ token, job, at, parts, deadlineMs })),
    // The msgpack parser sends a Buffer as binary, and any other view with its whole memory.
    audits: audits.map(({ token, job, elements, deadlineMs }) => ({ token, job, elements: Buffer.from(encodeAuditElements(elements)), deadlineMs })),
    jobs,
    retryMs: granted?.retryMs ?? null,
    restMs: Math.max(0, (coordinator.contributor(session.contributor)?.restUntilMs ?? 0) - clock()),
  };
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
  const bytes = await bytesOf(deps, message, limits.resultBytesMax);
  try {
    decodeResult(bytes, message.parts, job.spec.elements(job.context, lease.at), job.spec.elementWords(job.context, lease.at));
  } catch (error) {
    if (error instanceof FormatError) throw new Refusal('bad_input', error.message, 'inline');
    throw error;
  }
  const { token, parts, root, hash, computeMs } = message;
  const inline = message.inline === null ? null : bytes;
  const events = await coordinator.dispatch({
    type: 'handIn',
    id: newResultId(deps.randomBytes, deps.clock()),
    lease,
    salt: saltOf(token),
    root: fromHex(root),
    parts,
    hash,
    sizeBytes: bytes.byteLength,
    inline,
    computeMs,
  });
  if (events.some((event) => event.type === 'refused' && event.code === 'stale')) hit('leaseTokenMsMax');
  refuse(events);
  const stored = events.find((event) => event.type === 'stored');
  if (!stored) throw new Error(`a hand-in was neither refused nor stored: ${events.map(({ type }) => type).join(', ')}`);
  return { stored: true, result: stored.result, open: stored.open, work: await moreWork(deps, session, message.leasesMax) };
}

async function moreWork(deps: ContributeDeps, session: Session, leasesMax: number): Promise<Work> {
  const unready = unreadyOf(session.socket);
  if (unready) return { leases: [], audits: [], jobs: [], retryMs: unready.retryMs, restMs: 0 };
  // Also when it has leases enough: there may be audits for it.
  const more = await deps.coordinator.dispatch({ type: 'requestWork', contributor: session.contributor, leasesMax });
  return workOf(deps, session, more);
}

/** Of a result without a verdict, by its own contributor. One that has its verdict needs no opening any more: that is no error. */
async function takeOpening(deps: ContributeDeps, session: Session, message: schemas.Open): Promise<null> {
  const { coordinator } = deps;
  const { contributor } = session;
  const { result, hash } = message;
  const pending = coordinator.pendingResult(result);
  const job = pending && coordinator.openJob(pending.stored.job);
  if (!job) return null;
  const { stored } = pending;
  if (stored.contributor !== contributor) throw new Refusal('forbidden', 'This result is another contributor’s.', 'result');
  const shape = { parts: stored.parts, elements: job.spec.elements(job.context, stored.at), words: job.spec.elementWords(job.context, stored.at) };
  const bytes = await bytesOf(deps, message, openingBytesMax(shape));
  refuse(await coordinator.dispatch({ type: 'open', contributor, result, hash, inline: message.inline === null ? null : bytes }));
  return null;
}

async function takeAnswer(deps: ContributeDeps, session: Session, message: schemas.Answer): Promise<Answered> {
  const { token, values, leasesMax } = message;
  if (!(values instanceof Uint8Array)) throw new Refusal('bad_input', 'values must be bytes.', 'values');
  refuse(await deps.coordinator.dispatch({ type: 'answer', contributor: session.contributor, token, values: new Uint8Array(values) }));
  return { work: await moreWork(deps, session, leasesMax) };
}

/** The bytes a message speaks of, hashed by us: inline, or put to /blobs before. */
async function bytesOf({ blobs }: ContributeDeps, { inline, hash }: Pick<schemas.Open, 'inline' | 'hash'>, bytesMax: number): Promise<Uint8Array> {
  if (inline === null) {
    if (((await blobs.size(hash)) ?? 0) > bytesMax)
      throw atCap('resultBytesMax', new Refusal('too_large', 'The blob is too large.', 'hash', `at most ${bytesMax} bytes`));
    const stored = await blobs.get(hash);
    if (!stored) throw new Refusal('bad_input', 'PUT the bytes to /blobs/ and this hash first.', 'hash');
    return stored;
  }
  if (!(inline instanceof Uint8Array)) throw new Refusal('bad_input', 'inline must be bytes.', 'inline');
  if (inline.byteLength > limits.inlineResultBytesMax)
    throw atCap(
      'inlineResultBytesMax',
      new Refusal('too_large', `inline has ${inline.byteLength} bytes.`, 'inline', `at most ${limits.inlineResultBytesMax} bytes`),
    );
  const bytes = new Uint8Array(inline);
  if (createHash('sha256').update(bytes).digest('hex') !== hash) throw new Refusal('bad_input', 'The bytes do not have this hash.', 'hash');
  return bytes;
}

/** Facts for one contributor each. */
function announce(deps: ContributeDeps, sessions: ReadonlyMap<ContributorId, Session>, event: Event): void {
  if (event.type === 'leasesVoided') sessions.get(event.contributor)?.socket.emit('leases:void', { tokens: event.tokens, reason: event.reason });
  if (event.type === 'workAvailable') for (const id of event.contributors) sessions.get(id)?.socket.emit('work:available');
  if (event.type === 'openWanted') sessions.get(event.contributor)?.socket.emit('open:wanted', { result: event.result, elements: event.open });
  if (event.type === 'verdict') void announceVerdict(deps, sessions.get(event.contributor), event);
}

async function announceVerdict(
  { store }: ContributeDeps,
  session: Session | undefined,
  { job, at, parts, state: verdict, reason, microCredits, voided, owner }: Extract<Event, { type: 'verdict' }>,
): Promise<void> {
  if (!session) return;
  const balances = await balancesOf(store, session.contributor, owner);
  const message: VerdictMessage = {
    job,
    at,
    parts,
    verdict,
    reason,
    microCredits: microCredits.toString(),
    voidedMicroCredits: voided.toString(),
    ...balances,
  };
  session.socket.emit('verdict', message);
}
