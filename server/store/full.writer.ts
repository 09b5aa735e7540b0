import { mkdirSync } from 'node:fs';
import { argv } from 'node:process';
import { isDiskFull } from './blob-store.ts';
import { openBlobStore } from './blobs.ts';
import { inChunks, pattern, sha256 } from './testing.ts';

/** Run by full.test.ts on a disk of 512 KiB: says what became of a blob that is too large for it and of one that is not. */
const [folder = ''] = argv.slice(2);
mkdirSync(folder, { recursive: true });
const blobs = openBlobStore(folder);
const put = (length: number) => blobs.put(inChunks(pattern(length), 16_384), { bytesMax: length }).then(() => 'kept', isDiskFull);
console.log(
  JSON.stringify([
    await put(1_000_000),
    (await blobs.size(sha256(pattern(1_000_000)))) ?? null,
    await put(100_000),
    await blobs.size(sha256(pattern(100_000))),
  ]),
);
