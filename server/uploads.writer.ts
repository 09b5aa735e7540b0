import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { argv } from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import type { OwnerId } from '../shared/model.ts';
import { openBlobStore } from './store/blobs.ts';
import { Uploads } from './uploads.ts';

/** Run by uploads.test.ts and killed by it: receives one upload without end, saying which offset a request would be answered with. */

const [, , folder = '', id = ''] = argv;
const PIECE_BYTES = 256 * 1024;
const owner = 'device:writer' as OwnerId;

const uploads = await Uploads.open({ folder: join(folder, 'uploads'), blobs: openBlobStore(join(folder, 'blobs')), clock: Date.now, randomBytes });
const { offset, length } = await uploads.get(owner, id);

async function* bytes() {
  for (let at = offset; at < length; at += PIECE_BYTES) {
    yield Buffer.alloc(Math.min(PIECE_BYTES, length - at), at / PIECE_BYTES);
    console.log((await uploads.get(owner, id)).offset);
    // Time to be killed in.
    await sleep(3);
  }
}
await uploads.append(owner, id, offset, bytes());
