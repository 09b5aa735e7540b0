import { join } from 'node:path';
import { argv, stdout } from 'node:process';
import type { BlobHash } from '../shared/model.ts';
import { Retention } from './retention.ts';
import { openBlobStore } from './store/blobs.ts';
import { openSqliteStore } from './store/sqlite.ts';
import { contributorIdOf, exampleJob, exampleResult, jobIdOf, resultIdOf } from './store/testing.ts';

/**
 * Run by retention.test.ts and killed by it: makes jobs that have ended, each with blobs of its own and one that all share, deletes every other
 * one, and prints `made <job> <blobs>` and `deleted <job>` for what is done.
 */
const [folder = '', from = '0'] = argv.slice(2);
const store = await openSqliteStore(folder);
const blobs = openBlobStore(join(folder, 'blobs'));
const retention = new Retention({ store, blobs, retentionMs: 1e12, clock: Date.now, log: { info: () => undefined, error: () => undefined } });
const summary = { parts: { total: 1, accepted: 1, checking: 0, leased: 0 }, contributors: 1, paidMicroCredits: '0' };
const checksDone = { cpu: 0, trusted: 0, contributor: 0, refuted: 0, revoked: 0, errorBound: 0 };

async function put(text: string): Promise<BlobHash> {
  async function* source() {
    yield new TextEncoder().encode(text);
  }
  return (await blobs.put(source(), { bytesMax: 1000 })).hash;
}

for (let number = Number(from); ; number++) {
  const [input, result, file, shared] = [await put(`input ${number}`), await put(`result ${number}`), await put(`file ${number}`), await put('shared')];
  const id = jobIdOf(number);
  const inputs = [
    { name: 'own', hash: input, bytes: 10 },
    { name: 'shared', hash: shared, bytes: 6 },
  ];
  await store.jobs.create(exampleJob({ id, inputs, createdMs: Date.now() }), []);
  const row = exampleResult({ id: resultIdOf(number), job: id, hash: result, inline: null, state: 'accepted', contributor: contributorIdOf(1) });
  await store.commit([
    { kind: 'result', result: row },
    { kind: 'jobEnded', id, status: 'done', atMs: Date.now(), summary: { ...summary, checksDone } },
  ]);
  await store.jobs.setFile(id, 'png', file, 0, Date.now());
  stdout.write(`made ${number} ${[input, result, file].join(' ')}\n`);
  if (number % 2 === 0) {
    await retention.forget(id);
    stdout.write(`deleted ${number}\n`);
  }
}
