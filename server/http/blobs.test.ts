import { writeFileSync } from 'node:fs';
import Fastify from 'fastify';
import { expect, test } from 'vitest';
import { KIB, MIB } from '../../shared/limits.ts';
import { startS3 } from '../store/s3.testing.ts';
import { openS3Blobs } from '../store/s3-blobs.ts';
import { inChunks, pattern, sha256, temporaryFolder } from '../store/testing.ts';
import { type BlobRouteDeps, blobRoutes } from './blobs.ts';
import { answerError } from './errors.ts';
import { withApp } from './testing.ts';

test('of a large blob browsers hear where the store has it, also from the middle on; a small one comes at once', async () => {
  const [folder, s3] = [temporaryFolder(), await startS3()];
  const bytes = pattern(300 * KIB);
  const shared = await openS3Blobs({ ...s3.config, publicEndpoint: s3.config.endpoint }, { cacheFolder: folder.path, answerMsMax: 2000, retryMsFirst: 5 });
  const { hash } = await shared.put(inChunks(bytes, 64 * KIB), { bytesMax: MIB });
  const app = Fastify();
  app.setErrorHandler(answerError);
  await app.register(blobRoutes({ blobs: shared, coordinator: {} as BlobRouteDeps['coordinator'], clock: Date.now }));
  try {
    const origin = await app.listen({ host: '127.0.0.1', port: 0 });
    const sent = await fetch(`${origin}/blobs/${hash}`, { redirect: 'manual' });
    expect([sent.status, sent.headers.get('cache-control')]).toEqual([307, 'private, max-age=300']);
    const rest = await fetch(`${origin}/blobs/${hash}`, { headers: { range: 'bytes=1000-' } });
    expect([rest.status, rest.headers.get('content-range')]).toEqual([206, `bytes 1000-${bytes.byteLength - 1}/${bytes.byteLength}`]);
    expect(new Uint8Array(await rest.arrayBuffer())).toEqual(bytes.subarray(1000));
    const small = await shared.put(inChunks(pattern(99), 99), { bytesMax: 99 });
    const here = await fetch(`${origin}/blobs/${small.hash}`, { redirect: 'manual' });
    expect([here.status, new Uint8Array(await here.arrayBuffer())]).toEqual([200, pattern(99)]);
    expect((await fetch(`${origin}/blobs/${sha256(pattern(1))}`)).status).toBe(404);
    s3.weather('refused');
    const away = await fetch(`${origin}/blobs/${hash}`);
    expect([away.status, away.headers.get('retry-after'), ((await away.json()) as { code: string }).code]).toEqual([503, '5', 'busy']);
  } finally {
    await app.close();
    await s3.close();
    folder.remove();
  }
});

test.skipIf(process.platform !== 'linux')('a full disk is answered with when to try again', () =>
  withApp(async ({ app }) => {
    app.get('/full', async () => writeFileSync('/dev/full', 'x'));
    const { statusCode, headers, body } = await app.inject('/full');
    expect([statusCode, headers['retry-after'], (JSON.parse(body) as { code: string }).code]).toEqual([503, '5', 'busy']);
  }),
);
