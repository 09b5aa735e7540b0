import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Value } from 'typebox/value';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toHex } from '../shared/formats.ts';
import { type BlobHash, fullMask, maskOf } from '../shared/model.ts';
import { type Receipt, receipt as receiptSchema } from '../shared/receipt.ts';
import { aliasOf } from './core/ending.ts';
import { buildReceipt, receiptKey, sha256 } from './receipts.ts';
import { bytesOf, contributorIdOf, exampleJob, exampleResult, resultIdOf } from './store/testing.ts';

const key = receiptKey(bytesOf(5));
const picture = Buffer.from('a picture');
const tileBytes = Buffer.from('a tile');
const hashOf = (bytes: Uint8Array): BlobHash => toHex(sha256(bytes)) as BlobHash;
const found = { differing: 1, unexplained: 0, worst: 3, cpuMs: 9 };

/** Five results of three tiles, so that the tree has odd rows. */
const results = [
  { at: { pass: 1, tile: 0 }, parts: maskOf([0, 1]) },
  { at: { pass: 0, tile: 2 }, parts: maskOf([1]) },
  { at: { pass: 0, tile: 2 }, parts: maskOf([0]) },
  { at: { pass: 0, tile: 0 }, parts: fullMask(2), hash: hashOf(tileBytes) },
  { at: { pass: 0, tile: 1 }, parts: fullMask(2) },
].map((own, index) =>
  exampleResult({
    id: resultIdOf(index),
    contributor: contributorIdOf(index % 2),
    state: 'accepted',
    errorBound: 0.000_123 * index,
    evidence: [
      { by: 'contributor', drawn: 64, ...found },
      { by: 'cpu', drawn: 3, ...found },
      { by: 'contributor', drawn: 36, ...found },
      { by: 'trusted', drawn: 0, ...found },
    ],
    ...own,
  }),
);
const done = exampleJob({
  title: 'Küche – "dusk"',
  status: 'done',
  endedMs: 1_700_000_090_000,
  summary: {
    parts: { total: 8, accepted: 8, checking: 0, leased: 0 },
    contributors: 2,
    checksDone: { cpu: 15, trusted: 0, contributor: 500, refuted: 0, revoked: 0, errorBound: 1e-4 },
    paidMicroCredits: '700',
  },
});
const paid = new Map([[resultIdOf(0), 10n ** 20n]]);
const outputs = [{ id: 'png', hash: hashOf(picture) }];
const build = (by = key): Receipt => buildReceipt(done, results, paid, outputs, by, 1_700_000_100_000);

/** The same receipt with something changed. */
const changed = (change: (receipt: Receipt) => void): Receipt => {
  const copy = structuredClone(build());
  change(copy);
  return copy;
};

describe('buildReceipt', () => {
  it('tells who made what, what was checked, and what was paid, in a fixed order', () => {
    const receipt = build();
    expect(Value.Errors(receiptSchema, receipt)).toEqual([]);
    expect(receipt.leaves.map(({ pass, tile, parts }) => [pass, tile, parts])).toEqual([
      [0, 0, 3],
      [0, 1, 3],
      [0, 2, 1],
      [0, 2, 2],
      [1, 0, 3],
    ]);
    expect(receipt.leaves.at(-1)).toMatchObject({
      contributor: aliasOf(contributorIdOf(0)),
      evidence: [
        { by: 'cpu', drawn: 3, differing: 1, unexplained: 0 },
        { by: 'contributor', drawn: 100, differing: 2, unexplained: 0 },
      ],
      errorBound: 0,
      microCredits: '100000000000000000000',
    });
    expect(receipt.leaves[0]?.microCredits).toBe('0');
  });

  it('names no contributor by its id', () => {
    expect(JSON.stringify(build())).not.toContain(contributorIdOf(0));
  });

  it('gives equal bytes for equal arguments, whatever the order of the results', () => {
    expect(buildReceipt(done, results.toReversed(), paid, outputs, key, 1_700_000_100_000)).toEqual(build());
  });

  it('is refused for a job that is not done', () => {
    expect(() => buildReceipt(exampleJob(), results, paid, outputs, key, 0)).toThrow(RangeError);
  });
});

it('derives the key of RFC 8032, section 7.1, test 1', () => {
  const { publicKey, sign } = receiptKey(Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex'));
  expect(publicKey).toBe('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a');
  expect(toHex(sign(new Uint8Array()))).toBe(
    'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  );
});

describe('verify-receipt.mjs', () => {
  let folder = '';
  let files = 0;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tessera-receipt-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const fileOf = (bytes: Uint8Array | string): string => {
    const path = join(folder, `${++files}`);
    writeFileSync(path, bytes);
    return path;
  };
  /** As somebody would run it: in another folder, without this project. */
  const run = (...args: string[]): Promise<{ code: number; said: string }> =>
    new Promise((resolve) => {
      const script = join(import.meta.dirname, '../scripts/verify-receipt.mjs');
      execFile(process.execPath, [script, ...args], { cwd: folder, timeout: 20_000 }, (error, stdout, stderr) =>
        resolve({ code: error ? Number(error.code) : 0, said: stdout + stderr }),
      );
    });
  const verify = (receipt: Receipt, ...more: string[]) => run(fileOf(JSON.stringify(receipt, null, 1)), ...more);

  it('finds a receipt whole, and the files that belong to it', async () => {
    const { code, said } = await verify(build(), '--key', key.publicKey, fileOf(picture), fileOf(tileBytes));
    expect(said).toContain("is the job's png file");
    expect(said).toContain('is pass 0, tile 0');
    expect(said).toContain('whole and signed');
    expect(code).toBe(0);
  });

  it('shows the key when it was given none', async () => {
    expect((await verify(build())).said).toContain(key.publicKey);
  });

  it('refuses a picture that was changed, and a file that is not there', async () => {
    const { code, said } = await verify(build(), fileOf('another picture'), join(folder, 'nothing'));
    expect(said).toContain('neither a file nor a tile of this job');
    expect(said).toContain('cannot be read');
    expect(code).toBe(1);
  });

  const tampered: readonly (readonly [what: string, change: (receipt: Receipt) => void, says: string])[] = [
    ['who was paid more', (receipt) => void Object.assign(receipt.leaves[1]!, { microCredits: '5' }), 'pass 0, tile 1: what the receipt says of it'],
    ['who made a tile', (receipt) => void Object.assign(receipt.leaves[2]!, { contributor: 'ffffff' }), 'pass 0, tile 2: what the receipt says of it'],
    ['how much was checked', (receipt) => void Object.assign(receipt.leaves[4]!.evidence[0]!, { drawn: 4000 }), 'pass 1, tile 0: what the receipt says of it'],
    ['the certainty of a tile', (receipt) => void Object.assign(receipt.leaves[4]!, { errorBound: 1e-9 }), 'pass 1, tile 0: what the receipt says of it'],
    ['a digest', (receipt) => void Object.assign(receipt.leaves[0]!, { digest: '00'.repeat(32) }), 'do not lead to the root'],
    ['the root', (receipt) => void Object.assign(receipt, { root: '00'.repeat(32) }), 'the signature does not fit'],
    ['the title', (receipt) => void Object.assign(receipt, { title: 'Another' }), 'the signature does not fit'],
    ['the picture', (receipt) => void Object.assign(receipt.outputs[0]!, { hash: hashOf(tileBytes) }), 'the signature does not fit'],
    ['the signature', (receipt) => void Object.assign(receipt, { signature: '00'.repeat(64) }), 'the signature does not fit'],
    ['the order of the tiles', (receipt) => void receipt.leaves.reverse(), 'stands behind a later one'],
    ['two tiles, with their digests', (receipt) => void receipt.leaves.splice(0, 2, receipt.leaves[1]!, receipt.leaves[0]!), 'do not lead to the root'],
    ['a tile that is missing', (receipt) => void receipt.leaves.pop(), 'holds 6 parts, and the job has 8'],
    ['a tile that counts twice', (receipt) => void receipt.leaves.push(receipt.leaves[0]!), 'in the receipt twice'],
    ['a key that signs anything', (receipt) => void Object.assign(receipt, { publicKey: `01${'00'.repeat(31)}` }), 'the signature does not fit'],
  ];
  it.each(tampered)('finds out %s', async (_, change, says) => {
    const { code, said } = await verify(changed(change), '--key', key.publicKey);
    expect(said).toContain(says);
    expect(said).toContain('NOT good');
    expect(code).toBe(1);
  });

  it('refuses a receipt that somebody else signed, but only when the key is known', async () => {
    const foreign = build(receiptKey(bytesOf(6)));
    expect((await verify(foreign)).code).toBe(0);
    // Of several keys that are known, any will do.
    expect((await verify(foreign, '--key', key.publicKey, '--key', foreign.publicKey)).code).toBe(0);
    const { code, said } = await verify(foreign, '--key', key.publicKey);
    expect(said).toContain('not with the expected');
    expect(code).toBe(1);
  });

  it('says what it cannot read', async () => {
    expect(await run()).toMatchObject({ code: 2, said: expect.stringContaining('usage') });
    expect(await run('--key', 'short', 'x')).toMatchObject({ code: 2 });
    expect(await run(fileOf('{"version":2}'))).toMatchObject({ code: 1, said: expect.stringContaining('cannot be read as a receipt') });
    expect(await run(fileOf('not JSON'))).toMatchObject({ code: 1 });
  });
});
