import { hash as digest } from 'node:crypto';
import type { Server, Socket } from 'socket.io';
import { openingBytesMax, saltOf } from '../../shared/commitment.ts';
import { decodeResult, encodeAuditElements, FormatError, fromHex, type LeaseBody } from '../../shared/formats.ts';
import { limits } from '../../shared/limits.ts';
import type { ConsentId, ContributorId, ResultId, SiteId } from '../../shared/model.ts';
import { type Answered, type HandedIn, type JobBrief, namespaces, type Welcome, type Work } from '../../shared/protocol.ts';
import * as schemas from '../../shared/schemas.ts';
import { type Bus, silentBus } from '../bus.ts';
import { atCap, hit } from '../caps.ts';
import type { Coordinator } from '../coordinator.ts';
import type { Event } from '../core/state.ts';
import { newResultId } from '../ids.ts';
import { admit, type ContributeDeps, type Session } from './admit.ts';
import { commandsOf, Refusal, unreadyOf } from './connect.ts';
import { Elsewhere, type Gone, type Hearers } from './elsewhere.ts';
import { Verdicts } from './verdicts.ts';

const greeted = (): Refusal => new Refusal('conflict', 'This connection has said hello already.');

const NOT_OPEN = 'This job is not open any more.';

/** Whoever has said hello on this connection. */
const sessionOf = (socket: Socket): Session | undefined => socket.data.session;

/** The edge for contributors' engines. One connection a contributor, and one a browser, whatever sites it is on: a newer one replaces the older. */
export function serveContributors(
  io: Server,
  deps: ContributeDeps,
  bus: Bus = silentBus,
): { endConsent(consent: ConsentId): void; endSite(site: SiteId, reason: string): void } {
  const sessions = new Map<ContributorId, Session>();
  const elsewhere = new Elsewhere(bus, hearersOf(deps, sessions));
  const tell: Tell = (contributor, ...fact) => {
    const session = sessions.get(contributor);
    const [name, ...said] = fact;
    if (session) session.socket.emit(name, ...said);
    else if (deps.coordinator.isShared) elsewhere.tell(contributor, ...fact);
  };
  const verdicts = new Verdicts({ ...deps, tell: (contributor, messages) => tell(contributor, 'verdicts', messages) });
  deps.coordinator.onEvents((events) => {
    for (const event of events) {
      if (event.type !== 'verdict') announce(sessions, tell, event);
      else if (sessions.has(event.contributor) || deps.coordinator.isShared) verdicts.add(event);
    }
  });

  const current = (socket: Socket): Session => {
    const session = sessionOf(socket);
    if (!session) throw new Refusal('forbidden', 'Say hello first.');
    if (session.consentExpiresMs <= deps.clock())
      throw atCap('consentMsMax', new Refusal('forbidden', 'The consent has expired; agree again to go on.', 'consent'));
    if (session.site !== null && deps.isSuspended(session.site)) throw new Refusal('forbidden', 'This site is suspended.', 'consent');
    return session;
  };
  /** In one go with its joining: from here on the end of an older connection is not the contributor's, and the end of this one is. */
  const enter = (session: Session): void => {
    const { socket } = session;
    if (sessionOf(socket)) throw greeted();
    if (!socket.connected) throw new Refusal('conflict', 'This connection has ended.');
    socket.data.session = session;
    socket.data.contributor = session.contributor;
    const older = sameEngine(sessions, session);
    sessions.set(session.contributor, session);
    for (const { socket: theirs } of older) theirs.disconnect(true);
  };
  const exit = (socket: Socket): void => {
    const leaving = sessionOf(socket);
    socket.data.session = undefined;
    if (!leaving || sessions.get(leaving.contributor) !== leaving) return;
    sessions.delete(leaving.contributor);
    void deps.coordinator.dispatch({ type: 'leave', contributor: leaving.contributor }).catch(() => undefined);
  };
  const { on, onMany, hear } = commandsOf(deps.log);
  on('hello', schemas.hello, async (socket, message): Promise<Welcome> => {
    if (sessionOf(socket)) throw greeted();
    let isIn = false;
    const entered = (entering: Session): void => {
      enter(entering);
      isIn = true;
    };
    const { welcome } = await admit(deps, socket, message, entered).catch((error: unknown) => {
      if (isIn) exit(socket);
      throw error;
    });
    if (deps.coordinator.isShared) {
      const { contributor, browser } = current(socket);
      elsewhere.gone({ contributor, browser });
      // Not waited for: whoever has just died does not answer.
      void elsewhere.unopened(contributor).then((open) => open.forEach((request) => void socket.emit('open:wanted', request)));
    }
    return welcome;
  });
  on('work', schemas.workRequest, async (socket, { leasesMax, downloadBytesMax }): Promise<Work> => {
    const { contributor } = current(socket);
    return workOf(deps, current(socket), await deps.coordinator.dispatch({ type: 'requestWork', contributor, leasesMax, downloadBytesMax }));
  });
  on('handIn', schemas.handIn, (socket, message): Promise<HandedIn> => takeResult(deps, elsewhere, current(socket), message));
  on('open', schemas.open, (socket, message): Promise<null> => takeOpening(deps, elsewhere, current(socket), message));
  on('answer', schemas.answer, (socket, message): Promise<Answered> => takeAnswer(deps, elsewhere, current(socket), message));
  on('giveBack', schemas.giveBack, async (socket, { tokens, unopened = [] }): Promise<null> => {
    const { contributor } = current(socket);
    await deps.coordinator.dispatch({ type: 'giveBack', contributor, tokens, unopened });
    if (deps.coordinator.isShared) elsewhere.giveBack(contributor, { tokens, unopened });
    return null;
  });
  on('prefer', schemas.preferences, async (socket, preferences): Promise<null> => {
    refuse(await deps.coordinator.dispatch({ type: 'prefer', contributor: current(socket).contributor, preferences }));
    return null;
  });
  onMany('many');
  const onDisconnect = function (this: Socket): void {
    exit(this);
  };
  const space = io.of(namespaces.contribute);
  // Nobody speaks to rooms here. Socket.IO puts each socket into one of its own, which takes half a kilobyte.
  space.adapter.addAll = () => undefined;
  space.on('connection', (socket) => {
    socket.on('disconnect', onDisconnect);
    hear(socket);
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
function sameEngine(sessions: ReadonlyMap<ContributorId, Session>, { contributor, browser }: Gone): Session[] {
  return [...sessions.values()].filter((other) => other.contributor === contributor || (browser !== null && other.browser === browser));
}

/** Turns the events of a step into the answer that carries new leases; refusals become errors. */
async function workOf({ coordinator, store, clock }: ContributeDeps, session: Session, events: readonly Event[]): Promise<Work> {
  refuse(events);
  const restMs = Math.max(0, (coordinator.contributor(session.contributor)?.restUntilMs ?? 0) - clock());
  const granted = events.find((event) => event.type === 'leased');
  // Of many hand-ins in one message most ask for nothing.
  if (!granted) return { leases: [], audits: [], jobs: [], retryMs: null, restMs };
  const { leases, audits, retryMs } = granted;
  const fresh = [...new Set([...audits, ...leases].map(({ job }) => job))].filter((id) => session.told?.get(id) !== coordinator.openJob(id)?.stored.extensions);
  const found = fresh.map(async (id): Promise<JobBrief | undefined> => {
    const job = coordinator.openJob(id);
    if (!job) return undefined;
    session.told ??= new Map();
    session.told.set(id, job.stored.extensions);
    const { workload, version, title, seed, params, prepared, inputs, group } = job.stored;
    const name = group?.mode === 'only' ? (await store.groups.get(group.id))?.name : undefined;
    const brief = { id, workload, version, title, seed, params, prepared, inputs, progress: coordinator.estimates.progressOf(job), requester: job.requester };
    return name === undefined ? brief : { ...brief, group: name };
  });
  const jobs = (await Promise.all(found)).filter((brief) => brief !== undefined);
  return {
    // One whose copy, or whose original, was handed in since it was granted has ended.
    leases: leases.filter(({ parts }) => parts !== 0).map(({ token, job, at, parts, deadlineMs }) => ({ token, job, at, parts, deadlineMs })),
    // The msgpack parser sends a Buffer as binary, and any other view with its whole memory.
    audits: audits.map(({ token, job, elements, deadlineMs }) => ({ token, job, elements: Buffer.from(encodeAuditElements(elements)), deadlineMs })),
    jobs,
    retryMs,
    restMs,
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

async function takeResult(deps: ContributeDeps, elsewhere: Elsewhere, session: Session, message: schemas.HandIn): Promise<HandedIn> {
  const { coordinator } = deps;
  const { contributor } = session;
  const lease = leaseOf(coordinator, contributor, message.token);
  const isHere = !coordinator.isShared || coordinator.hasTile(lease.job, lease.at.tile);
  const stored = await (isHere ? storeResult(deps, lease, message) : elsewhere.pass('handIn', contributor, message));
  if (!stored) throw await unseen(deps, lease);
  return { stored: true, ...stored, work: await moreWork(deps, session, message.leasesMax) };
}

/** A tile that no coordinator has: until this one has claimed it; or for good, because its job or the lease has ended. */
async function unseen({ store, clock, wanted }: ContributeDeps, { job, at, expiresMs }: LeaseBody): Promise<Refusal> {
  if (expiresMs < clock()) return atCap('leaseTokenMsMax', new Refusal('stale', 'This lease has expired.', 'token'));
  if ((await store.jobs.get(job))?.status !== 'open') return new Refusal('conflict', NOT_OPEN, 'token');
  wanted?.(job, at.tile);
  return new Refusal('busy', 'Nobody sees to this tile just now; try again.', 'token');
}

function leaseOf(coordinator: Coordinator, contributor: ContributorId, token: string): LeaseBody {
  const lease = readLease(coordinator, token);
  if (lease.contributor !== contributor) throw new Refusal('forbidden', 'This lease belongs to another contributor.', 'token');
  return lease;
}

async function storeResult(
  deps: ContributeDeps,
  lease: LeaseBody,
  message: schemas.HandIn,
): Promise<{ readonly result: ResultId; readonly open: readonly number[] }> {
  const { coordinator } = deps;
  const job = coordinator.openJob(lease.job);
  if (!job) throw new Refusal('conflict', NOT_OPEN, 'token');
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
  return { result: stored.result, open: stored.open };
}

async function moreWork(deps: ContributeDeps, session: Session, leasesMax: number): Promise<Work> {
  const unready = unreadyOf(session.socket);
  if (unready) return { leases: [], audits: [], jobs: [], retryMs: unready.retryMs, restMs: 0 };
  const { trusted = false, questions = [] } = deps.coordinator.contributor(session.contributor) ?? {};
  // There may be audits for whoever has leases enough.
  if (leasesMax === 0 && !trusted && questions.length === 0) return workOf(deps, session, []);
  const more = await deps.coordinator.dispatch({ type: 'requestWork', contributor: session.contributor, leasesMax });
  return workOf(deps, session, more);
}

/** Of a result without a verdict, by its own contributor. One that has its verdict needs no opening any more: that is no error. */
async function takeOpening(deps: ContributeDeps, elsewhere: Elsewhere, { contributor }: Session, message: schemas.Open): Promise<null> {
  const { coordinator, store } = deps;
  if (!coordinator.isShared || coordinator.pendingResult(message.result)) return storeOpening(deps, contributor, message);
  if ((await elsewhere.pass('open', contributor, message)) !== undefined) return null;
  if ((await store.jobs.result(message.result))?.state !== 'committed') return null;
  throw new Refusal('busy', 'Nobody sees to this result just now; try again.', 'result');
}

async function storeOpening(deps: ContributeDeps, contributor: ContributorId, message: schemas.Open): Promise<null> {
  const { coordinator } = deps;
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

async function takeAnswer(deps: ContributeDeps, elsewhere: Elsewhere, session: Session, message: schemas.Answer): Promise<Answered> {
  const { contributor } = session;
  const { token, leasesMax } = message;
  const isPassed = deps.coordinator.isShared && !deps.coordinator.hasAudit(token) && (await elsewhere.pass('answer', contributor, message)) !== undefined;
  if (!isPassed) await storeAnswer(deps, contributor, message);
  return { work: await moreWork(deps, session, leasesMax) };
}

async function storeAnswer({ coordinator }: ContributeDeps, contributor: ContributorId, { token, values }: schemas.Answer): Promise<null> {
  if (!(values instanceof Uint8Array)) throw new Refusal('bad_input', 'values must be bytes.', 'values');
  refuse(await coordinator.dispatch({ type: 'answer', contributor, token, values: new Uint8Array(values) }));
  return null;
}

/** What this coordinator has to do with contributors that are connected to others. */
function hearersOf(deps: ContributeDeps, sessions: ReadonlyMap<ContributorId, Session>): Hearers {
  const { coordinator } = deps;
  return {
    handIn({ contributor, message }) {
      const lease = leaseOf(coordinator, contributor, message.token);
      return coordinator.hasTile(lease.job, lease.at.tile) ? coordinator.remember(contributor).then(() => storeResult(deps, lease, message)) : undefined;
    },
    open: ({ contributor, message }) => (coordinator.pendingResult(message.result) ? storeOpening(deps, contributor, message) : undefined),
    answer: ({ contributor, message }) => (coordinator.hasAudit(message.token) ? storeAnswer(deps, contributor, message) : undefined),
    giveBack: ({ contributor, message }) =>
      void coordinator
        .dispatch({ type: 'giveBack', contributor, tokens: message.tokens, unopened: message.unopened ?? [] })
        .catch((error: unknown) => deps.log.error({ error: String(error), contributor }, 'what was given back elsewhere could not be taken back')),
    unopened: (contributor) => coordinator.unopened(contributor),
    fact: ({ contributor, message: [name, ...said] }) => void sessions.get(contributor)?.socket.emit(name, ...said),
    gone(session) {
      for (const { socket } of sameEngine(sessions, session)) socket.disconnect(true);
    },
  };
}

const sha256 = (bytes: Uint8Array): string => digest('sha256', bytes);

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
  if (sha256(bytes) !== hash) throw new Refusal('bad_input', 'The bytes do not have this hash.', 'hash');
  return bytes;
}

/** Tells one contributor a fact, wherever it is. */
type Tell = (contributor: ContributorId, ...fact: Parameters<Elsewhere['tell']> extends [unknown, ...infer Fact] ? Fact : never) => void;

function announce(sessions: ReadonlyMap<ContributorId, Session>, tell: Tell, event: Event): void {
  if (event.type === 'leasesVoided') tell(event.contributor, 'leases:void', { tokens: event.tokens, reason: event.reason });
  if (event.type === 'workAvailable') for (const id of event.contributors) sessions.get(id)?.socket.emit('work:available');
  if (event.type === 'openWanted') tell(event.contributor, 'open:wanted', { result: event.result, elements: event.open });
}
