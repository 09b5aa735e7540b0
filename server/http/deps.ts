import type { ConsentId, OwnerId } from '../../shared/model.ts';
import type { Certificate } from '../certificate.ts';
import type { Config } from '../config.ts';
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
  /** Contributors of `from` belong to `to` now. Resolves when nothing that is decided from now on is paid to `from`. */
  readonly ownerChanged: (from: OwnerId, to: OwnerId) => Promise<void> | void;
  /** Listens with TLS, presenting this. */
  readonly certificate?: Certificate | null;
  /** Where the built pages lie; dist/client unless a test says otherwise. */
  readonly clientFolder?: string;
}
