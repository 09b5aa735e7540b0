import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SECOND_MS } from '../shared/limits.ts';
import { type KeyName, keyNames, type StoredKey } from './store/keys.ts';
import type { Store } from './store/store.ts';

/**
 * A coordinator holds the database in its data folder for itself, so whoever wants a key rotated leaves a file there, named after the key. A running
 * coordinator finds it within seconds, another one at its start.
 */
const FOLDER = 'rotate';
/** Far below the time that a new key is known before it signs. */
export const LOOK_MS = 2 * SECOND_MS;

export function askRotation(dataDir: string, name: KeyName): void {
  mkdirSync(join(dataDir, FOLDER), { recursive: true, mode: 0o700 });
  writeFileSync(join(dataDir, FOLDER, name), '');
}

export interface KeyRotationDeps {
  readonly store: Store;
  /** Where rotations are asked for; null where they are written into a database that is shared. */
  readonly dataDir: string | null;
  /** Called with all valid versions, first when this begins, then whenever there is another one or another one signs. */
  readonly use: Readonly<Partial<Record<KeyName, (keys: readonly StoredKey[]) => void>>>;
  readonly log: { info(fields: object, message: string): void; error(fields: object, message: string): void };
}

/** Tells a running coordinator of the keys that were rotated. */
export class KeyRotation {
  readonly #deps: KeyRotationDeps;
  readonly #told = new Map<string, string>();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | null = null;

  private constructor(deps: KeyRotationDeps) {
    this.#deps = deps;
  }

  static async open(deps: KeyRotationDeps): Promise<KeyRotation> {
    const rotation = new KeyRotation(deps);
    await rotation.look();
    rotation.#timer = setInterval(() => void rotation.look(), LOOK_MS);
    return rotation;
  }

  /** One at a time. While the database is away the keys stay as they are. */
  look(): Promise<void> {
    this.#looking ??= this.#look()
      .catch((error: unknown) => this.#deps.log.error({ error: String(error) }, 'the keys could not be read'))
      .finally(() => {
        this.#looking = null;
      });
    return this.#looking;
  }

  async #look(): Promise<void> {
    const { store, dataDir, use, log } = this.#deps;
    for (const name of dataDir === null ? [] : keyNames) {
      const request = join(dataDir ?? '', FOLDER, name);
      if (!existsSync(request)) continue;
      const fromMs = await store.keys.rotate(name);
      rmSync(request, { force: true });
      log.info({ key: name, from: new Date(fromMs).toISOString() }, 'a key was rotated');
    }
    for (const [name, tell] of Object.entries(use) as [KeyName, (keys: readonly StoredKey[]) => void][]) {
      const keys = await store.keys.of(name);
      const found = keys.map(({ version, signs }) => `${version}${signs ? '*' : ''}`).join(' ');
      if (this.#told.get(name) === found) continue;
      tell(keys);
      this.#told.set(name, found);
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }
}
