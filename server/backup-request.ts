import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MINUTE_MS } from '../shared/limits.ts';

/**
 * Who asks a running coordinator for a copy of its database shows that he may write into its folder: he leaves the digest of a secret there, which
 * counts once and for a minute. The copy, too, is made in that folder and nowhere else.
 */
const FILE = 'backup-request';
const REQUEST_MS_MAX = MINUTE_MS;

const digestOf = (secret: string): string => createHash('sha256').update(secret).digest('hex');

export function writeBackupRequest(dataDir: string, secret: string, nowMs: number): void {
  writeFileSync(join(dataDir, FILE), `${digestOf(secret)} ${nowMs + REQUEST_MS_MAX}`, { mode: 0o644 });
}

export const forgetBackupRequest = (dataDir: string): void => rmSync(join(dataDir, FILE), { force: true });

/** True once for the secret of the last request. */
export function takeBackupRequest(dataDir: string, secret: string, nowMs: number): boolean {
  const path = join(dataDir, FILE);
  let text = '';
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const [, digest = '', untilMs] = /^([0-9a-f]{64}) (\d{1,15})$/.exec(text) ?? [];
  const isRight = digest !== '' && nowMs < Number(untilMs) && timingSafeEqual(Buffer.from(digest), Buffer.from(digestOf(secret)));
  if (isRight) forgetBackupRequest(dataDir);
  return isRight;
}
