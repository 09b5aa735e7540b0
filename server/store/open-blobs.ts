import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import type { BlobOptions, BlobStore } from './blob-store.ts';
import { openBlobStore } from './blobs.ts';
import { openS3Blobs } from './s3-blobs.ts';
import type { S3Log } from './s3-client.ts';

/** Where the operator wants the blobs to lie. Coordinators that share a data folder have caches of their own. Throws a plain sentence when an S3 store refuses us. */
export async function openBlobs(
  { s3, blobsDir, dataDir, port }: Pick<Config, 's3' | 'blobsDir' | 'dataDir' | 'port'>,
  options: BlobOptions & { readonly log?: S3Log },
): Promise<BlobStore> {
  return s3 === null ? openBlobStore(blobsDir, options) : openS3Blobs(s3, { ...options, cacheFolder: join(dataDir, 'blob-cache', `${hostname()}-${port}`) });
}
