import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { execPath } from 'node:process';
import { expect, test } from 'vitest';
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
