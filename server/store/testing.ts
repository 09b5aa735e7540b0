import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BlobHash, ConsentId, ContributorId, JobId, OwnerId, PartMask, ResultId, SiteId } from '../../shared/model.ts';
import type { Standing } from '../core/reputation.ts';
import { openSqliteStore } from './sqlite.ts';
import type { Store, StoredConsent, StoredContributor, StoredJob, StoredResult, StoredSite, Transfer } from './store.ts';

/** Example rows for tests of the store and of what stands on it. Each is complete; tests name what they care about. */

export const device = (name: string): OwnerId => `device:${name.padEnd(16, '0')}` as OwnerId;
export const wallet = (address: string): OwnerId => `wallet:${address}` as OwnerId;
const id = <Id extends string>(prefix: string, name: string | number): Id => `${prefix}_${String(name).padStart(16, '0')}` as Id;
export const jobIdOf = (name: string | number): JobId => id('j', name);
export const resultIdOf = (name: string | number): ResultId => id('r', name);
export const contributorIdOf = (name: string | number): ContributorId => id('c', name);
export const consentIdOf = (name: string | number): ConsentId => id('k', name);
export const siteIdOf = (name: string | number): SiteId => id('s', name);
export const bytesOf = (value: number, length = 32): Uint8Array => new Uint8Array(length).fill(value);

export const sha256 = (bytes: Uint8Array): BlobHash => createHash('sha256').update(bytes).digest('hex') as BlobHash;
export const pattern = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => (index * 31) % 251);

export async function* inChunks(bytes: Uint8Array, chunkBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}

export const exampleTransfer = (own: Partial<Transfer> & Pick<Transfer, 'id'>): Transfer => ({
  unit: 'test',
  debit: 'operator/issuance',
  credit: `${device('ada')}/grant`,
  microCredits: 1_000_000n,
  kind: 'grant',
  job: null,
  at: null,
  atMs: 1000,
  ...own,
});

export const exampleJob = (own: Partial<StoredJob> = {}): StoredJob => ({
  id: jobIdOf(1),
  title: 'Kitchen at dusk',
  workload: 'example',
  version: 1,
  status: 'open',
  visibility: 'public',
  gallery: false,
  group: null,
  owner: device('ada'),
  seed: 0xffff_ffff,
  params: { width: 64, list: [1, { deep: null }] },
  prepared: { triangles: 36 },
  inputs: [{ name: 'scene', hash: 'ab'.repeat(32) as BlobHash, bytes: 5000 }],
  checks: { targetError: 1e-4 },
  unit: 'test',
  ratePerUnit: 2n ** 53n + 1n,
  priceVersion: 3,
  workHeld: 900n,
  checksHeld: 100n,
  heldFrom: [{ account: `${device('ada')}/grant`, microCredits: 1000n }],
  closing: false,
  createdMs: 1_700_000_000_000,
  endedMs: null,
  summary: null,
  paused: false,
  extensions: 0,
  deletedMs: null,
  promise: null,
  ...own,
});

export const exampleContributor = (own: Partial<StoredContributor> = {}): StoredContributor => ({
  id: contributorIdOf(1),
  secretHash: bytesOf(7),
  owner: device('ada'),
  createdMs: 1000,
  ...own,
});

export const exampleResult = (own: Partial<StoredResult> = {}): StoredResult => ({
  id: resultIdOf(1),
  job: jobIdOf(1),
  at: { pass: 2, tile: 3 },
  parts: 0b111 as PartMask,
  epoch: 4,
  attempt: 5,
  contributor: contributorIdOf(1),
  owner: device('ada'),
  site: null,
  hash: 'cd'.repeat(32) as BlobHash,
  sizeBytes: 48,
  inline: bytesOf(9, 48),
  salt: bytesOf(3),
  root: bytesOf(4),
  commitment: bytesOf(1),
  nonce: bytesOf(2, 16),
  drawn: 64,
  round: 'first',
  opening: null,
  computeMs: 12.5,
  committedMs: 2000,
  state: 'committed',
  evidence: [],
  errorBound: 0,
  decidedMs: null,
  vesting: null,
  drill: false,
  passesWanted: null,
  ...own,
});

export const exampleStanding = (own: Partial<Standing> = {}): Standing => ({
  accepted: 3,
  refuted: 1,
  discarded: 2,
  verified: 12_288.25,
  drawn: 192,
  differing: 4,
  unexplained: 1,
  suspendedUntilMs: 90_000,
  atMs: 4000,
  ...own,
});

export const exampleConsent = (own: Partial<StoredConsent> = {}): StoredConsent => ({
  id: consentIdOf(1),
  contributor: contributorIdOf(1),
  kinds: ['example'],
  site: null,
  powerPercent: 100,
  grantedMs: 1000,
  expiresMs: 2000,
  revokedMs: null,
  ...own,
});

export const exampleSite = (own: Partial<StoredSite> = {}): StoredSite => ({
  id: siteIdOf(1),
  owner: device('ada'),
  name: 'Museum',
  origin: 'https://museum.example',
  sharePercent: 20,
  createdMs: 1000,
  token: 'a-token',
  provenMs: 1000,
  switchedOffMs: null,
  network: null,
  ...own,
});

/** An empty folder below the system's temporary folder. `remove` deletes it. */
export function temporaryFolder(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'tessera-test-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Runs with a fresh store of its own, closes it and removes its folder. */
export async function withStore<T>(run: (store: Store, folder: string) => Promise<T>): Promise<T> {
  const folder = temporaryFolder();
  const store = await openSqliteStore(folder.path);
  try {
    return await run(store, folder.path);
  } finally {
    await store.close();
    folder.remove();
  }
}
