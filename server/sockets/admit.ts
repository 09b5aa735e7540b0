import { createHash, timingSafeEqual } from 'node:crypto';
import type { Socket } from 'socket.io';
import { fromBase64Url } from '../../shared/formats.ts';
import type { ConsentId, ContributorId, GroupId, JobId, OwnerId, SiteId } from '../../shared/model.ts';
import { PROTOCOL_VERSION, type Welcome } from '../../shared/protocol.ts';
import type * as schemas from '../../shared/schemas.ts';
import { hit } from '../caps.ts';
import type { Config } from '../config.ts';
import type { Coordinator } from '../coordinator.ts';
import { earnedAccount, vestingAccount } from '../core/ledger.ts';
import { newStanding, recordOf } from '../core/reputation.ts';
import type { BlobStore, Store } from '../store/store.ts';
import { Refusal } from './connect.ts';
import { addressOf, networkOf } from './network.ts';

export interface ContributeDeps {
  readonly store: Store;
  readonly blobs: BlobStore;
  readonly coordinator: Coordinator;
  readonly config: Pick<Config, 'trustedKeys' | 'privateSwarm' | 'trustProxy'>;
  /** Keys the hash of a contributor's network. */
  readonly networkKey: Uint8Array;
  /** The operator has suspended this site. */
  readonly isSuspended: (site: SiteId) => boolean;
  /** Where coordinators share the database: somebody hands in a tile that none of them has. */
  readonly wanted?: (job: JobId, tile: number) => void;
  readonly clock: () => number;
  readonly randomBytes: (length: number) => Uint8Array;
  readonly log: { error(fields: object, message: string): void };
}

export interface Session {
  readonly socket: Socket;
  readonly contributor: ContributorId;
  readonly consent: ConsentId;
  readonly site: SiteId | null;
  readonly consentExpiresMs: number;
  /** `hello.browser`, hashed; null where there is none. Lives as long as the connection. */
  readonly browser: string | null;
  /** Jobs this connection has been told about, and how often they had been extended by then. */
  told: Map<JobId, number> | null;
}

/** Of nearly everybody. */
const noGroups: ReadonlySet<GroupId> = new Set();

/** Who says hello must know the contributor's secret and stand on a consent of it that has neither ended nor expired. `enter` is called as it joins. */
export async function admit(deps: ContributeDeps, socket: Socket, message: schemas.Hello, enter: (session: Session) => void): Promise<{ welcome: Welcome }> {
  const { store, clock, coordinator } = deps;
  if (message.protocol !== PROTOCOL_VERSION)
    throw new Refusal('stale', 'This page is older or newer than the coordinator. Reload it.', 'protocol', String(PROTOCOL_VERSION));
  const contributor = await store.people.contributor(message.contributor);
  const given = createHash('sha256').update(fromBase64Url(message.secret)).digest();
  if (!contributor || !timingSafeEqual(contributor.secretHash, given)) throw new Refusal('forbidden', 'This contributor is not known here.', 'contributor');
  const consent = await store.people.consent(message.consent);
  const isOwn = consent?.contributor === contributor.id && consent.revokedMs === null;
  if (isOwn && consent.expiresMs <= clock()) hit('consentMsMax');
  if (!isOwn || consent.expiresMs <= clock()) throw new Refusal('forbidden', 'There is no standing consent; agree again to go on.', 'consent');
  const site = consent.site === null ? undefined : await store.people.site(consent.site);
  if (site && (site.provenMs === null || site.switchedOffMs !== null || deps.isSuspended(site.id)))
    throw new Refusal('forbidden', 'This site is suspended, switched off, or has not proven its domain: nothing runs for it.', 'consent');
  const isOperators = readKey(deps.config.trustedKeys, message);
  const drill = message.drill === true;
  const { id, owner } = contributor;
  const { headers, address } = socket.handshake;
  const { privateSwarm, trustProxy } = deps.config;
  const network = privateSwarm ? null : networkOf(deps.networkKey, addressOf(address, headers['x-forwarded-for'], trustProxy));
  const sharePercent = site?.sharePercent ?? 0;
  const standings = await store.people.standings(id);
  const kinds = new Set(consent.kinds);
  // A drill lies: whoever runs one is not believed, though he has the key.
  const trusted = isOperators && !drill;
  const deviceClass = classOf(message.device);
  const { downloadBytesMax } = message;
  if (consent.site !== null) await coordinator.openSite(consent.site);
  // Read last: whoever leaves a group from here on is told to the core after it has joined.
  const ids = await store.groups.idsOf(owner);
  const groups = ids.length === 0 ? noGroups : new Set(ids);
  const joining = {
    id,
    owner,
    site: site?.id ?? null,
    network,
    deviceClass,
    trusted,
    drill,
    kinds,
    downloadBytesMax,
    standings,
    groups,
    preferences: message.preferences ?? {},
  };
  enter({
    socket,
    contributor: id,
    consent: consent.id,
    site: consent.site,
    consentExpiresMs: consent.expiresMs,
    browser: browserOf(message),
    told: null,
  });
  await coordinator.dispatch({ type: 'join', contributor: joining });
  // Whoever had his data deleted since it was read must not work on under his name.
  if ((await store.people.consent(consent.id))?.revokedMs !== null) {
    await coordinator.dispatch({ type: 'leave', contributor: id });
    throw new Refusal('forbidden', 'There is no standing consent; agree again to go on.', 'consent');
  }
  return {
    welcome: {
      ...(await balancesOf(store, id, owner)),
      record: recordAmong(coordinator, id, kinds),
      open: coordinator.unopened(id),
      held: coordinator.held(id),
      sharePercent,
      serverTimeMs: clock(),
    },
  };
}

const browserOf = ({ browser }: schemas.Hello): string | null => (browser === undefined ? null : createHash('sha256').update(browser).digest('base64url'));

const CLASS_CHARS_MAX = 120;

/** The device class `vendor/architecture/backend` in printable ASCII, as the device says; it is counted by and never believed. */
const classOf = ({ vendor, architecture, backend }: schemas.Device): string =>
  [vendor, architecture, backend]
    .map((part) => part.trim().toLowerCase())
    .join('/')
    .replace(/[^ -~]/g, '?')
    .slice(0, CLASS_CHARS_MAX);

/** Whether this is the operator's own. Every key is compared in full, so that the time it takes tells nothing. Throws on a wrong one. */
function readKey(trustedKeys: readonly string[], { trusted, drill }: schemas.Hello): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  const given = digest(trusted ?? '');
  const matches = trustedKeys.filter((key) => timingSafeEqual(digest(key), given)).length;
  if (trusted !== undefined && matches === 0) throw new Refusal('forbidden', 'The operator’s key is wrong, or none is set here.', 'trusted');
  if (drill === true && matches === 0) throw new Refusal('forbidden', 'A drill needs the operator’s key.', 'drill');
  return matches > 0;
}

export async function balancesOf(
  { ledger }: Store,
  contributor: ContributorId,
  owner: OwnerId,
): Promise<Pick<Welcome, 'earnedMicroCredits' | 'vestingMicroCredits'>> {
  const [earned, vesting] = await Promise.all([ledger.balance(earnedAccount(owner), 'test'), ledger.balance(vestingAccount(contributor), 'test')]);
  return { earnedMicroCredits: earned.toString(), vestingMicroCredits: vesting.toString() };
}

/** The record over the workloads that this consent covers: sums, and the longest suspension. */
function recordAmong(coordinator: Coordinator, id: ContributorId, kinds: ReadonlySet<string>): schemas.ContributorRecord {
  const standings = [...(coordinator.contributor(id)?.standings ?? [])].filter(([workload]) => kinds.has(workload));
  return standings
    .map(([, standing]) => recordOf(standing))
    .reduce(
      (sum, record) => ({
        accepted: sum.accepted + record.accepted,
        refuted: sum.refuted + record.refuted,
        discarded: sum.discarded + record.discarded,
        verified: sum.verified + record.verified,
        drawn: sum.drawn + record.drawn,
        differing: sum.differing + record.differing,
        unexplained: sum.unexplained + record.unexplained,
        suspendedUntilMs: Math.max(sum.suspendedUntilMs, record.suspendedUntilMs),
      }),
      recordOf(newStanding(0)),
    );
}
