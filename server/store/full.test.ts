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

test.skipIf(!canMount)('a database whose process was killed is opened on a disk without room for its log, with all that was acknowledged, and works', () => {
  const folder = temporaryFolder();
  // Its log is not in its file yet, which has to grow for it.
  const script = `mount -t tmpfs -o size=6m tmpfs "$0" && { "$1" "$2" "$0/data" end; dd if=/dev/zero of="$0/full" bs=4k; exec "$1" "$2" "$0/data" begin; } 2>/dev/null`;
  const ended = spawnSync('unshare', ['-rm', 'sh', '-c', script, folder.path, execPath, join(import.meta.dirname, 'full-start.writer.ts')], {
    encoding: 'utf8',
  });
  folder.remove();
  expect([ended.stdout.trim(), ended.status]).toEqual(['true', 0]);
});
