import { randomBytes } from 'node:crypto';
import type { Server } from 'node:http';
import { Server as TlsServer } from 'node:https';
import { availableParallelism } from 'node:os';
import { workload } from '../shaders/registry.ts';
import { HOUR_MS, limits, SECOND_MS } from '../shared/limits.ts';
import type { ConsentId, JobId, OwnerId, SiteId } from '../shared/model.ts';
import { announcement } from './announcement.ts';
import { buildApp } from './app.ts';
import { AuditingBooks } from './auditing-books.ts';
import { postgresBus, silentBus } from './bus.ts';
import { hit } from './caps.ts';
import { type Certificate, givenCertificate, lanAddresses, ownCertificate } from './certificate.ts';
import { Pool } from './checks/pool.ts';
import { type Config, readConfig, readOrExit } from './config.ts';
import { Coordinator } from './coordinator.ts';
import { Delivering } from './delivering.ts';
import { forgetOwner } from './forgetting.ts';
import { Gallery } from './gallery.ts';
import { backupRoutes } from './http/backup.ts';
import { blobRoutes } from './http/blobs.ts';
import { EventStreams } from './http/event-streams.ts';
import { eventRoutes } from './http/events.ts';
import { jobRoutes } from './http/jobs.ts';
import { lifecycleRoutes } from './http/lifecycle.ts';
import { metricsRoutes } from './http/metrics.ts';
import { moneyRoutes, settleRoutes } from './http/money.ts';
import { networkRoutes } from './http/network.ts';
import { operatorRoutes } from './http/operator.ts';
import { priceRoutes } from './http/prices.ts';
import { receiptRoutes } from './http/receipts.ts';
import { reportRoutes } from './http/reports.ts';
import { roomRoutes } from './http/room.ts';
import { bareHeaders, isOwnOrigin } from './http/security.ts';
import { webhookRoutes } from './http/webhooks.ts';
import { IdleMemory } from './idle-memory.ts';
import { Jobs } from './jobs.ts';
import { KeyRotation } from './key-rotation.ts';
import { Lifecycle } from './lifecycle.ts';
import { Load } from './load.ts';
import { logEvents } from './logging.ts';
import { Metrics } from './metrics.ts';
import { Moderation } from './moderation.ts';
import { Money } from './money.ts';
import { Network } from './network.ts';
import { Operating } from './operating.ts';
import { ask, isLocalName } from './outbound.ts';
import { Packing } from './packing.ts';
import { Prices, readCalibrations } from './prices.ts';
import { readProof } from './proof.ts';
import { pooledRandom } from './random.ts';
import { Retention } from './retention.ts';
import { loadScreening } from './screening.ts';
import { Sharing } from './sharing.ts';
import { createSockets, openSockets } from './sockets/connect.ts';
import { serveContributors } from './sockets/contribute.ts';
import { addressOf, networkOf } from './sockets/network.ts';
import { serveViewers } from './sockets/watch.ts';
import { steadyClock } from './steady-clock.ts';
import { openStore } from './store/open.ts';
import { openBlobs } from './store/open-blobs.ts';
import type { S3Log } from './store/s3-client.ts';
import type { Notice } from './store/sharing-store.ts';
import type { Store } from './store/store.ts';
import { Suspensions } from './suspensions.ts';
import { Watching } from './watching.ts';
import { Webhooks } from './webhooks.ts';

const prepareCaps = { time: 'prepareMsMax', heap: 'prepareHeapMibMax', queued: 'preparesQueuedMax' } as const;
/** At the end requests under way are answered. Connections without one, as browsers open them in advance, would be waited for by the minute. */
const ANSWER_MS_MAX = 2000;
const CUT_OFF = 1;
const SAME_PRESS_MS = 500;
const RECOVERING_RETRY_MS = 2 * SECOND_MS;

/**
 * The process: reads the environment, opens the store, starts the core, listens. Resolves when it is ready. `close` stops
 * taking work, finishes the commit under way and lets go of the data folder.
 */
export async function main(load = new Load()): Promise<{ readonly url: string; readonly announcement: string; close(): Promise<void> }> {
  const config = await readOrExit(() => readConfig(process.env));
  const store = await openStore(config);
  const moderation = await Moderation.open(store);
  const metrics = new Metrics();
  let logError: S3Log['error'] = (fields, message) => console.error(message, fields);
  const opened = await openBlobs(config, { isBanned: (hash) => moderation.isBanned(hash), log: { error: (...said) => logError(...said) } });
  const blobs = metrics.counted(opened);
  // One core is left for the main thread; checks never wait behind the preparation of somebody's files.
  const checks = new Pool({
    threads: Math.max(1, availableParallelism() - 1),
    timeoutMs: limits.checkMsMax,
    heapMib: limits.checkHeapMibMax,
    queuedMax: limits.checksQueuedMax,
    caps: { time: 'checkMsMax', heap: 'checkHeapMibMax', queued: 'checksQueuedMax' },
  });
  const preparing = new Pool({
    threads: 1,
    timeoutMs: limits.prepareMsMax,
    heapMib: limits.prepareHeapMibMax,
    buffersMib: limits.prepareBuffersMibMax,
    queuedMax: limits.preparesQueuedMax,
    caps: { ...prepareCaps, buffers: 'prepareBuffersMibMax' },
  });
  const assembling = new Pool({
    threads: 1,
    timeoutMs: limits.prepareMsMax,
    heapMib: limits.prepareHeapMibMax,
    queuedMax: limits.preparesQueuedMax,
    caps: prepareCaps,
  });
  const clock = steadyClock(Date.now, () => performance.now());
  let endConsent: (consent: Parameters<ReturnType<typeof serveContributors>['endConsent']>[0]) => void = () => undefined;
  let socketSessionEnded: ReturnType<typeof serveViewers>['sessionEnded'] = () => undefined;
  const streams = new EventStreams();
  let endSite: ReturnType<typeof serveContributors>['endSite'] = () => undefined;
  const networkKey = await store.secret('network');
  const suspensions = new Suspensions(
    config.dataDir,
    (site) => endSite(site, 'The operator of this coordinator has suspended this site.'),
    (error) => app.log.error({ error: String(error) }, 'the list of suspended sites could not be read'),
  );
  const endSession = (hash: Uint8Array): void => {
    socketSessionEnded(hash);
    streams.sessionEnded(hash);
  };
  let sharing: Sharing | undefined;
  /** What is lost here ends by itself later: sessions and consents are looked at in the store again and again. */
  const tellOthers: Sharing['tell'] = async (kind, subject) =>
    sharing?.tell(kind, subject).catch((error: unknown) => app.log.error({ error: String(error), kind }, 'other coordinators could not be told'));
  const isSuspended = (site: SiteId): boolean => suspensions.has(site);
  const allowsLocal = config.publicOrigin === null || isLocalName(new URL(config.publicOrigin).hostname);

  const certificate = await readOrExit(() => certificateOf(config));
  const app = await buildApp({
    config,
    certificate,
    store,
    blobs,
    load,
    metrics,
    unready: () => (coordinator.isRecovering ? { reason: 'The database has failed and is being read back.', retryMs: RECOVERING_RETRY_MS } : null),
    clock,
    randomBytes,
    consentEnded: (consent) => {
      endConsent(consent);
      void tellOthers('consent', consent);
    },
    ownerChanged: async (from, to) => {
      await coordinator.changeOwner(from, to);
      await coordinator.setGroups(to, await store.groups.idsOf(to));
    },
    erased: async (all) => {
      await forgetOwner({ store, coordinator, clock, randomBytes }, all, all.names);
      await tellOthers('erased', all.owner);
      for (const job of all.jobs) watching.jobGone(job);
      void Promise.all(all.forgotten.map((bytes) => retention.drop(bytes))).catch((error: unknown) =>
        log.error({ error: String(error) }, 'bytes of somebody who is gone could not be deleted; the next sweep tries again'),
      );
    },
    groupsChanged: async (owner, left) => {
      await coordinator.setGroups(owner, await store.groups.idsOf(owner));
      if (left !== null) await watching.leftGroup(owner);
    },
    sessionEnded: (hash) => {
      endSession(hash);
      void tellOthers('session', Buffer.from(hash).toString('hex'));
    },
    isSuspended,
    siteEnded: (site, reason) => {
      endSite(site, reason);
      void tellOthers('site', site);
    },
    readProof: (origin) => readProof(origin, { allowsLocal }),
    networkOf: ({ socket, headers }) =>
      config.privateSwarm ? null : networkOf(networkKey, addressOf(socket.remoteAddress ?? '', headers['x-forwarded-for'], config.trustProxy)),
  });
  const log = app.log;
  logError = (fields, message) => log.error(fields, message);
  const random = pooledRandom();
  const coordinator = await Coordinator.open({
    store,
    blobs,
    checks,
    spec: (id) => workload(id)?.spec,
    privateSwarm: config.privateSwarm,
    vestingMsMax: config.vestingMsMax,
    holdbackMs: config.payouts?.holdbackMs ?? 0,
    clock,
    random,
    log,
    committed: metrics.committed,
    ...(config.databaseUrl === null ? {} : { beginLife: () => Sharing.begin(store) }),
  });
  const keyRotation = await KeyRotation.open({
    store,
    dataDir: config.databaseUrl === null ? config.dataDir : null,
    use: { lease: (keys) => coordinator.useLeaseKeys(keys), cursor: (keys) => app.cursors.use(keys) },
    log,
  });
  const bus = config.databaseUrl === null ? silentBus : postgresBus(config.databaseUrl, log);
  coordinator.onEvents(metrics.heard);
  coordinator.onEvents(logEvents(log));
  const { ratePerUnit, rates, retentionMs } = config;
  const prices = await readOrExit(async () => Prices.open({ store, ratePerUnit, rates, calibrations: await readCalibrations(), clock }));
  const jobs = new Jobs({ store, blobs, coordinator, sharing: () => sharing, preparing, assembling, moderation, prices, retentionMs, clock, randomBytes });
  const retention = new Retention({ store, blobs, retentionMs, clock, log });
  const lifecycle = new Lifecycle({ store, blobs, coordinator, jobs, retention, clock });
  const watching = new Watching({ jobs, coordinator, bus });
  lifecycle.onChange((job) => void watching.changed(job));
  const delivering = new Delivering({
    store,
    ask: (url, request, { signal }) => metrics.delivery(ask(url, request, { allowsLocal, signal })),
    clock,
    randomBytes,
    log,
  });
  coordinator.onEvents(delivering.heard);
  const screening = await readOrExit(async () => (config.payouts === null ? () => false : loadScreening(config.payouts.screeningPath)));
  const money = new Money({ store, payouts: config.payouts, screening, clock, randomBytes, log });
  const webhooks = new Webhooks({ store, delivering, allowsLocal, clock, randomBytes });
  await app.register(jobRoutes({ jobs, blobs, sessions: app.sessions, cursors: app.cursors }));
  await app.register(lifecycleRoutes({ lifecycle, ownerOf: app.sessions.ownerOf }));
  await app.register(blobRoutes({ blobs, coordinator, clock }));
  await app.register(eventRoutes({ jobs, watching, streams, sessionOf: (request) => app.sessions.find(request) }));
  await app.register(webhookRoutes({ webhooks, ownerOf: app.sessions.ownerOf }));
  await app.register(receiptRoutes({ store, jobs, ownerOf: app.sessions.ownerOf, clock }));
  const io = createSockets(app.server, (origin, host) => isOwnOrigin(config, origin, host), {
    load,
    metrics,
    trustProxy: config.trustProxy,
    headers: bareHeaders(config),
  });
  const wanted = (job: JobId, tile: number): void => sharing?.want(job, tile);
  ({ endConsent, endSite } = serveContributors(
    io,
    { store, blobs, coordinator, config, networkKey, isSuspended, wanted, clock, randomBytes: random, log },
    bus,
  ));
  const ownerOf = (cookies: string | undefined) => app.sessions.ownerOfCookies(app.parseCookie(cookies ?? ''));
  const sessionOf = (cookies: string | undefined) => app.sessions.hashOfCookies(app.parseCookie(cookies ?? ''));
  ({ sessionEnded: socketSessionEnded } = serveViewers(io, { jobs, watching, ownerOf, sessionOf, log }));
  // What is taken down is not kept. A job whose last results are being judged is swept later.
  const jobGone = (job: JobId): void => {
    watching.jobGone(job);
    void retention
      .forget(job)
      .catch((error: unknown) => log.error({ error: String(error), job }, 'the bytes of a job that was taken down could not be deleted'));
  };
  const operating = await Operating.open({ store, coordinator, moderation, suspensions, jobGone, decided: tellOthers, clock });
  const heard = hearing({ store, coordinator, operating, watching, endConsent, endSession, endSite, clock });
  if (coordinator.isShared) sharing = await Sharing.open({ store, coordinator, clock, log, heard, jobChanged: (job) => void watching.changed(job) });
  const network = await Network.open({ store: store.network, coordinator, clock, log, bus, ...(sharing && { sharing }) });
  coordinator.estimates.lookAt(network);
  await app.register(operatorRoutes({ operating, config, store, clock, randomBytes, isSuspended }));
  if (config.roomControl) await app.register(roomRoutes({ control: config.roomControl, config, store, clock, randomBytes }));
  await app.register(reportRoutes({ store, clock, randomBytes, jobs, sessions: app.sessions }));
  await app.register(networkRoutes({ network }));
  await app.register(priceRoutes({ prices, store }));
  await app.register(moneyRoutes({ money, store, config, sessions: app.sessions }));
  await app.register(settleRoutes({ money, config }));
  const auditingBooks = new AuditingBooks({ ledger: store.ledger, clock, log });
  const packing = new Packing({ store, coordinator, isMine: () => sharing?.isFirst ?? true, clock, packed: metrics.packed, log });
  metrics.observe({
    coordinator,
    pools: { checks, preparing, assembling },
    load,
    used: {
      socketsMax: () => openSockets(io),
      commandsWaitingMax: () => coordinator.waiting.commands,
      commandsWaitingBytesMax: () => coordinator.waiting.bytes,
      checksQueuedMax: () => checks.load.waiting,
      preparesQueuedMax: () => Math.max(preparing.load.waiting, assembling.load.waiting),
      eventStreamsMax: () => streams.count,
      eventLoopDelayMsMax: () => load.delayMs.mean,
    },
  });
  await app.register(metricsRoutes({ auditingBooks, metrics, config, dataDir: config.dataDir, clock }));
  if ('copyTo' in store) await app.register(backupRoutes({ dataDir: config.dataDir, retention, copyTo: (path) => store.copyTo(path), clock }));
  const gallery = config.gallery ? new Gallery({ store, blobs, jobs, coordinator, log, isMine: () => sharing?.isFirst ?? true }) : undefined;

  await app.listen({ host: config.host, port: config.port });
  void gallery?.refill();
  load.start();
  const idleMemory = new IdleMemory();
  idleMemory.start();
  retention.start();
  delivering.wake();
  auditingBooks.start();
  packing.start();
  const address = app.server.address();
  const port = typeof address === 'object' && address !== null ? address.port : config.port;
  const scheme = certificate === null ? 'http' : 'https';
  const url = config.publicOrigin ?? `${scheme}://localhost:${port}`;
  // Plain http is not a secure context elsewhere, and a public origin is the only address that counts.
  const lan = certificate !== null && config.publicOrigin === null && config.host === '0.0.0.0' ? lanAddresses() : [];
  const renewing = setInterval(() => void renew(config, app.server).catch((error) => log.error({ error }, 'the certificate could not be renewed')), HOUR_MS);
  return {
    url,
    announcement: announcement(
      url,
      lan.map((address) => `https://${address}:${port}`),
      config.tls === 'own',
      process.stdout.isTTY === true,
    ),
    async close() {
      clearInterval(renewing);
      await drain({ load, streams, log });
      await gallery?.close();
      await retention.close();
      suspensions.close();
      watching.close();
      const late = setTimeout(() => app.server.closeAllConnections(), ANSWER_MS_MAX);
      await io.close();
      await app.close();
      clearTimeout(late);
      await delivering.close();
      await network.close();
      await keyRotation.close();
      await auditingBooks.close();
      await packing.close();
      await coordinator.close();
      await sharing?.close();
      await bus.close();
      await Promise.all([checks.close(), preparing.close(), assembling.close()]);
      await store.close();
      load.close();
      idleMemory.close();
    },
  };
}

interface Hearing {
  readonly store: Store;
  readonly coordinator: Coordinator;
  readonly operating: Operating;
  readonly watching: Watching;
  readonly endConsent: (consent: ConsentId) => void;
  readonly endSession: (hash: Uint8Array) => void;
  readonly endSite: (site: SiteId, reason: string) => void;
  readonly clock: () => number;
}

/** What is done here when it happened at another coordinator of the same database. */
const hearing =
  ({ store, coordinator, operating, watching, endConsent, endSession, endSite, clock }: Hearing): ((notice: Notice) => Promise<void>) =>
  async ({ kind, subject }) => {
    if (kind === 'owner') {
      const [from, to] = subject.split(' ') as [OwnerId, OwnerId];
      await coordinator.changeOwner(from, to, true);
    } else if (kind === 'erased') {
      await forgetOwner({ store, coordinator, clock, randomBytes }, await store.erasure.gone(subject as OwnerId));
      for (const { id } of await store.jobs.list({ owner: subject as OwnerId, limit: Number.MAX_SAFE_INTEGER })) watching.jobGone(id);
    } else if (kind === 'groups') {
      const owner = subject as OwnerId;
      await coordinator.setGroups(owner, await store.groups.idsOf(owner), true);
      await watching.leftGroup(owner);
    } else if (kind === 'consent') endConsent(subject as ConsentId);
    else if (kind === 'session') endSession(Buffer.from(subject, 'hex'));
    else if (kind === 'halt') await operating.followPause();
    else if (kind === 'moderation') await operating.moderated();
    else if (kind === 'site') {
      const [site, suspended] = subject.split(' ') as [SiteId, string | undefined];
      if (suspended === undefined) endSite(site, 'This site does not run here any more.');
      else operating.siteDecided(site, suspended === 'true');
    }
  };

/** Nothing new is begun from here on. What is under way, hand-ins and uploads above all, is finished and answered, or cut off when it takes too long. */
async function drain({ load, streams, log }: { load: Load; streams: EventStreams; log: { info(fields: object, message: string): void } }): Promise<void> {
  load.drain();
  streams.end();
  // Whoever does not read has had its time.
  const late = setTimeout(() => streams.close(), ANSWER_MS_MAX);
  const isIdle = await load.idle(limits.drainMsMax);
  clearTimeout(late);
  if (isIdle) return;
  hit('drainMsMax');
  log.info({ underWay: load.underWay }, 'what is still under way is cut off');
}

async function certificateOf({ tls, dataDir }: Config): Promise<Certificate | null> {
  if (tls === null) return null;
  return tls === 'own' ? ownCertificate(dataDir) : givenCertificate(tls);
}

/** A machine that stays up gets other addresses, and its certificate ends: new connections get the new one. */
async function renew({ tls, dataDir }: Config, server: Server): Promise<void> {
  if (tls !== 'own' || !(server instanceof TlsServer)) return;
  const { isNew, ...certificate } = await ownCertificate(dataDir);
  if (isNew) server.setSecureContext(certificate);
}

/** Ends the process with 0 after `close`, or at once when it is asked a second time. A key press reaches it twice: from the terminal, and passed on by npm. */
export function endOnSignals(close: () => Promise<void>): void {
  let begunMs: number | undefined;
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => {
      if (begunMs !== undefined && performance.now() - begunMs > SAME_PRESS_MS) process.exit(CUT_OFF);
      if (begunMs !== undefined) return;
      begunMs = performance.now();
      close().then(
        () => process.exit(0),
        (error: unknown) => {
          console.error(error);
          process.exit(CUT_OFF);
        },
      );
    });
}

if (process.argv[1] === import.meta.filename) {
  const { announcement: said, close } = await main();
  console.log(said);
  endOnSignals(close);
}
