import type { FastifyRequest } from 'fastify';
import type { ConsentId, GroupId, OwnerId, SiteId } from '../../shared/model.ts';
import type { Certificate } from '../certificate.ts';
import type { Config } from '../config.ts';
import type { Load, Unready } from '../load.ts';
import type { LogStream } from '../logging.ts';
import type { Metrics } from '../metrics.ts';
import type { Erased } from '../store/erasure.ts';
import type { BlobStore, Store } from '../store/store.ts';

/** What the routes of this folder stand on. Jobs and blobs get the coordinator itself; these need only be heard by it. */
export interface AppDeps {
  readonly config: Config;
  readonly store: Store;
  readonly blobs: BlobStore;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** Cryptographically random. */
  readonly randomBytes: (length: number) => Uint8Array;
  /** A consent was revoked: whoever works under it stops. */
  readonly consentEnded: (consent: ConsentId) => void;
  /** The operator has suspended this site. */
  readonly isSuspended: (site: SiteId) => boolean;
  /** Nobody may work for this site any more: whoever does stops. */
  readonly siteEnded: (site: SiteId, reason: string) => void;
  /** The text by which an origin proves whose it is. Throws `ProofError`. */
  readonly readProof: (origin: string) => Promise<string>;
  /** Keyed hash of the network a request comes from; null in a private swarm, where networks tell nothing. */
  readonly networkOf: (request: FastifyRequest) => string | null;
  /** Contributors of `from` belong to `to` now. Resolves when nothing that is decided from now on is paid to `from`. */
  readonly ownerChanged: (from: OwnerId, to: OwnerId) => Promise<void> | void;
  /** Somebody has had his data deleted. Resolves when nothing that is decided from now on names him, and the rest of what was his has stopped. */
  readonly erased: (erased: Erased) => Promise<void> | void;
  /** The session with this hash has ended: connections that were made with it lose what only it may see. Tells nothing of sessions that just expire. */
  readonly sessionEnded: (hash: Uint8Array) => void;
  /** An owner has joined groups or left one. Resolves when nothing more of the one that was `left` is given or shown to it. */
  readonly groupsChanged: (owner: OwnerId, left: GroupId | null) => Promise<void> | void;
  readonly load: Load;
  readonly metrics: Metrics;
  /** What stands in the way of new work beside the load; null: nothing. */
  readonly unready?: () => Unready | null;
  /** Where the log goes; standard output unless a test says otherwise. */
  readonly logStream?: LogStream | undefined;
  /** Listens with TLS, presenting this. */
  readonly certificate?: Certificate | null;
  /** Where the built pages lie; dist/client unless a test says otherwise. */
  readonly clientFolder?: string;
}
