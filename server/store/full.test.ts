import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { expect, test } from 'vitest';
import { withApp } from '../http/testing.ts';
import { temporaryFolder } from './testing.ts';

const mount = 'mount -t tmpfs -o size=512k tmpfs "$0" && exec "$1" "$2" "$0/blobs"';
const canMount = spawnSync('unshare', ['-rm', 'sh', '-c', 'mount -t tmpfs -o size=64k tmpfs /mnt']).status === 0;

test.skipIf(!canMount)('a blob for which the disk has no room leaves nothing, and the next one that fits is kept', () => {
  const folder = temporaryFolder();
  const writer = join(import.meta.dirname, 'full.writer.ts');
  const ended = spawnSync('unshare', ['-rm', 'sh', '-c', mount, folder.path, execPath, writer], { encoding: 'utf8' });
  folder.remove();
  expect([ended.stdout.trim(), ended.stderr]).toEqual(['[true,null,"kept",100000]', '']);
});

test.skipIf(process.platform !== 'linux')('a full disk is answered with when to try again', () =>
  withApp(async ({ app }) => {
    app.get('/full', async () => writeFileSync('/dev/full', 'x'));
    const { statusCode, headers, body } = await app.inject('/full');
    expect([statusCode, headers['retry-after'], (JSON.parse(body) as { code: string }).code]).toEqual([503, '5', 'busy']);
  }),
);
