import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { JobView } from '../shared/schemas.ts';
import { startS3, type TestS3 } from './store/s3.testing.ts';
import { Contributor, hashOf, order, put, requester, small, whole } from './whole.testing.ts';

/** The whole coordinator with its blobs in an S3 store. */

const ofFile = { workload: order.workload, params: { ...small, scene: 'file' }, files: { model: 'ab'.repeat(32) } };
let s3: TestS3;
beforeAll(async () => {
  s3 = await startS3();
  await whole.open(s3.env);
}, 30_000);
afterAll(async () => {
  await whole.close();
  await s3.close();
  for (const name of Object.keys(s3.env)) process.env[name] = '';
});

it('a job whose store is away for a while loses nobody’s work: results wait for their check, and the file is made once it is back', async () => {
  const visitor = await requester();
  const { body: job } = await visitor.call<JobView>('POST', '/api/jobs', order);
  // With no copies of what it has put there.
  await whole.stop();
  await whole.start(s3.env);
  const contributor = await Contributor.join();
  const [lease] = await contributor.lease();
  const made = await contributor.compute(lease!);
  s3.weather('refused');
  expect(await put(`Lease ${lease!.token}`, made.bytes)).toBe(503);
  expect((await visitor.call('POST', '/api/quotes', ofFile)).status).toBe(503);
  // It travels inside the message; what it is checked against lies in the store.
  const handed = contributor.deliver(lease!, made);
  // More than all that a check does before it counts as failed: three times, four requests each.
  const before = s3.connections;
  await expect.poll(() => s3.connections, { timeout: 30_000 }).toBeGreaterThan(before + 20);
  expect(contributor.verdicts).toEqual([]);
  s3.weather('fine');
  await handed;
  await contributor.untilVerdicts(1);
  expect(contributor.verdicts[0]?.verdict).toBe('accepted');
  await contributor.workOff();
  const png = Buffer.from(await (await fetch(`${whole.url}/api/jobs/${job.id}/files/png`)).arrayBuffer());
  expect(png.subarray(1, 4).toString()).toBe('PNG');
  expect(existsSync(s3.fileOf(`blobs/${hashOf(png)}`))).toBe(true);
  expect(existsSync(join(whole.folder, 'blobs'))).toBe(false);
  expect(readdirSync(join(whole.folder, 'blob-cache'))).toHaveLength(1);
  contributor.socket.disconnect();
}, 60_000);
