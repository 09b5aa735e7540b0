import { createHash, timingSafeEqual } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { fromBase64Url, toBase64Url } from '../shared/formats.ts';
import { limits } from '../shared/limits.ts';
import { hit } from './caps.ts';

/**
 * The way in for an operator: a link that only somebody on the machine can make, because it takes writing into the data folder. The folder
 * gets the SHA-256 of the secret and when it ends; the secret is in the link alone. Whoever reads the folder later can do nothing with it.
 */
const FILE = 'operator-link.json';
const file = Type.Object({ digest: Type.String({ pattern: '^[0-9a-f]{64}$' }), expiresMs: Type.Number() });

const digestOf = (secret: Uint8Array): Buffer => createHash('sha256').update(secret).digest();

/** Makes a link's token; one that was made before is void. */
export function makeLink(dataDir: string, secret: Uint8Array, now: number): string {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const path = join(dataDir, FILE);
  const content = { digest: digestOf(secret).toString('hex'), expiresMs: now + limits.operatorLinkMsMax };
  // Not only for whoever makes it: the coordinator may run as another user, and a digest of 32 random bytes tells nothing.
  writeFileSync(`${path}.new`, JSON.stringify(content), { mode: 0o644 });
  renameSync(`${path}.new`, path);
  return toBase64Url(secret);
}

/** True once for the token of the present link, while it lasts. A wrong token leaves the link as it is: guessing it is hopeless, voiding it would be easy. */
export function useLink(dataDir: string, token: string, now: number): boolean {
  const path = join(dataDir, FILE);
  const link = read(path);
  if (!link) return false;
  if (link.expiresMs <= now) {
    hit('operatorLinkMsMax');
    rmSync(path, { force: true });
    return false;
  }
  if (!timingSafeEqual(Buffer.from(link.digest, 'hex'), digestOf(fromBase64Url(token)))) return false;
  rmSync(path);
  return true;
}

function read(path: string): { digest: string; expiresMs: number } | undefined {
  try {
    const content: unknown = JSON.parse(readFileSync(path, 'utf8'));
    return Value.Check(file, content) ? content : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
