import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rm, rmdir, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';

export interface FileLockOptions {
  readonly clock: () => number;
  /** A holder says so often that it lives; the clocks of all who share the folder must agree to a good part of this. */
  readonly staleMs: number;
}

export interface FileLock {
  /** Whoever had it before was taken for dead, and might wake up. */
  readonly mayHaveRival: boolean;
  /** False when others have taken us for dead. */
  isMine(): Promise<boolean>;
  release(): Promise<void>;
}

interface Owner {
  readonly token: string;
  readonly host: string;
  readonly process: number;
}

interface Claim {
  readonly number: number;
  readonly token: string;
  readonly isStale: boolean;
  /** No process has it any more, as opposed to: has not been heard of. */
  readonly isDead: boolean;
}

const BEATS_PER_STALE = 5;
const TRIES_MAX = 4;
/** What this process holds: another token under its number is a former life's. */
const held = new Set<string>();

/**
 * A lock between processes, also of several machines on one file system: a folder with a file for each claim, numbered upwards. The highest claim holds
 * it. A claim that is stale is outdone by the next number, which one process alone can create; whoever does looks afterwards whether what he outdid
 * is still there, because it may have been released and the numbers begun anew. Null when somebody has it.
 */
export async function takeLock(folder: string, options: FileLockOptions): Promise<FileLock | null> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const before = await highestClaim(folder, options);
    if (before && !before.isStale) return null;
    const number = (before?.number ?? 0) + 1;
    const token = randomUUID();
    if (!(await claim(join(folder, String(number)), token, options))) continue;
    held.add(token);
    const lock = new Held(folder, number, token, before !== undefined && !before.isDead, options);
    if (before === undefined || ((await readOwner(join(folder, String(before.number))))?.token ?? '') === before.token) return lock;
    await lock.release();
  }
  return null;
}

class Held implements FileLock {
  readonly mayHaveRival: boolean;
  readonly #folder: string;
  readonly #number: number;
  readonly #token: string;
  readonly #timer: NodeJS.Timeout;

  constructor(folder: string, number: number, token: string, mayHaveRival: boolean, { clock, staleMs }: FileLockOptions) {
    this.#folder = folder;
    this.#number = number;
    this.#token = token;
    this.mayHaveRival = mayHaveRival;
    const beat = (): void => void utimes(this.#path, clock() / 1000, clock() / 1000).catch(() => undefined);
    this.#timer = setInterval(beat, staleMs / BEATS_PER_STALE).unref();
  }

  get #path(): string {
    return join(this.#folder, String(this.#number));
  }

  async isMine(): Promise<boolean> {
    const highest = Math.max(...(await numbersIn(this.#folder)));
    return highest === this.#number && (await readOwner(this.#path))?.token === this.#token;
  }

  /** What was outdone goes first: as long as ours is there nobody begins anew. */
  async release(): Promise<void> {
    clearInterval(this.#timer);
    held.delete(this.#token);
    if ((await readOwner(this.#path))?.token !== this.#token) return;
    for (const number of await numbersIn(this.#folder)) if (number < this.#number) await rm(join(this.#folder, String(number)), { force: true });
    await rm(this.#path, { force: true });
    // Somebody may be claiming it just now.
    await rmdir(this.#folder).catch(() => undefined);
  }
}

async function numbersIn(folder: string): Promise<number[]> {
  const names = await readdir(folder).catch((): string[] => []);
  return names.map(Number).filter(Number.isSafeInteger);
}

async function highestClaim(folder: string, { clock, staleMs }: FileLockOptions): Promise<Claim | undefined> {
  const number = Math.max(0, ...(await numbersIn(folder)));
  if (number === 0) return undefined;
  const path = join(folder, String(number));
  const [found, owner] = [await stat(path).catch(() => undefined), await readOwner(path)];
  // Released meanwhile, which counts as held: who asks again will see. Written half by who was killed over it: nobody's, once it is stale.
  if (!found) return { number, token: '', isStale: false, isDead: false };
  const isDead = owner !== undefined && owner.host === hostname() && !isAlive(owner);
  return { number, token: owner?.token ?? '', isStale: isDead || found.mtimeMs < clock() - staleMs, isDead };
}

function isAlive({ process: id, token }: Owner): boolean {
  if (id === process.pid) return held.has(token);
  try {
    process.kill(id, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

async function readOwner(path: string): Promise<Owner | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const [token, host, id] = text.split('\n');
  return token !== undefined && host !== undefined && /^\d+$/.test(id ?? '') ? { token, host, process: Number(id) } : undefined;
}

/** False when somebody was faster, or released the lock and its folder. */
async function claim(path: string, token: string, { clock }: FileLockOptions): Promise<boolean> {
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.writeFile(`${token}\n${hostname()}\n${process.pid}\n`);
      await file.utimes(clock() / 1000, clock() / 1000);
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if (['EEXIST', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}
