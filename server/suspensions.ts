import { mkdirSync, readFileSync, renameSync, unwatchFile, watchFile, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Value } from 'typebox/value';
import type { SiteId } from '../shared/model.ts';
import { siteId } from '../shared/schemas.ts';

/**
 * Sites that the operator has suspended: a file of the data folder, one site a line, so that it can be changed on the machine while the
 * coordinator is down. A running one reads the file twice a second, because not every file system tells of changes.
 */
const FILE = 'suspended-sites.txt';
const LOOK_MS = 500;

const isSite = (text: string): text is SiteId => Value.Check(siteId, text);

export function readSuspended(dataDir: string): ReadonlySet<SiteId> {
  try {
    const lines = readFileSync(join(dataDir, FILE), 'utf8').split('\n');
    return new Set(lines.map((line) => line.trim()).filter(isSite));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Set();
    throw error;
  }
}

/** Written beside it and moved: the coordinator never reads half a file. */
export function writeSuspended(dataDir: string, sites: Iterable<SiteId>): void {
  mkdirSync(dataDir, { recursive: true });
  const path = join(dataDir, FILE);
  writeFileSync(`${path}.new`, [...sites].map((site) => `${site}\n`).join(''));
  renameSync(`${path}.new`, path);
}

/** Follows the file. `suspended` is told of each site that was not suspended before. */
export class Suspensions {
  readonly #dataDir: string;
  readonly #path: string;
  readonly #suspended: (site: SiteId) => void;
  #sites: ReadonlySet<SiteId>;

  constructor(dataDir: string, suspended: (site: SiteId) => void, failed: (error: unknown) => void) {
    this.#dataDir = dataDir;
    this.#path = join(dataDir, FILE);
    this.#suspended = suspended;
    this.#sites = readSuspended(dataDir);
    watchFile(this.#path, { interval: LOOK_MS, persistent: false }, () => {
      try {
        this.#look();
      } catch (error) {
        // What was suspended stays so until the file can be read again.
        failed(error);
      }
    });
  }

  #look(): void {
    const before = this.#sites;
    this.#sites = readSuspended(this.#dataDir);
    for (const site of this.#sites) if (!before.has(site)) this.#suspended(site);
  }

  has(site: SiteId): boolean {
    return this.#sites.has(site);
  }

  /** Changes the file, and takes effect at once. */
  set(site: SiteId, suspended: boolean): void {
    // What somebody has changed on the machine meanwhile stays.
    const sites = new Set(readSuspended(this.#dataDir));
    if (suspended) sites.add(site);
    else sites.delete(site);
    writeSuspended(this.#dataDir, sites);
    this.#look();
  }

  close(): void {
    unwatchFile(this.#path);
  }
}
