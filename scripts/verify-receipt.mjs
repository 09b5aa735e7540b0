#!/usr/bin/env node
// Verifies a receipt of Tessera offline, with Node alone: every leaf, the tree over them, the signature, and files against it.
//
//   node verify-receipt.mjs [--key PUBLIC_KEY]... receipt.json [picture or result files ...]
//
// `--key` may be given several times, because a coordinator may change its key: GET /api/receipts/key lists all that it ever signed with.
// Prints a verdict and ends with 0 when everything fits, with 1 when something does not, with 2 when it was called wrongly.
// The format is described at the head of shared/receipt.ts; this file shares no code with it on purpose.
import { createHash, createPublicKey, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';

const DOMAIN = 'tessera/receipt/v1';
const USAGE = 'usage: node verify-receipt.mjs [--key PUBLIC_KEY]... receipt.json [files ...]';

const sha256 = (...pieces) => pieces.reduce((hash, piece) => hash.update(piece), createHash('sha256')).digest();
const hexBytes = (text, bytes) =>
  typeof text === 'string' && new RegExp(`^[0-9a-f]{${bytes * 2}}$`).test(text) ? Buffer.from(text, 'hex') : Buffer.alloc(bytes);
const nameOf = ({ pass, tile }) => `pass ${pass}, tile ${tile}`;
const bitsOf = (mask) => mask.toString(2).replaceAll('0', '').length;

function leafDigest(job, { pass, tile, parts, hash, contributor, evidence, errorBound, microCredits }) {
  const sums = evidence.map(({ by, drawn, differing, unexplained }) => [by, drawn, differing, unexplained]);
  return sha256(Uint8Array.of(0), JSON.stringify([job, pass, tile, parts, hash, contributor, sums, errorBound, microCredits])).toString('hex');
}

function rootOf(digests) {
  let row = digests.map((digest) => hexBytes(digest, 32));
  while (row.length > 1) {
    const next = [];
    for (let at = 0; at < row.length; at += 2) next.push(at + 1 < row.length ? sha256(Uint8Array.of(1), row[at], row[at + 1]) : row[at]);
    row = next;
  }
  return row[0].toString('hex');
}

/** The domain, a zero byte, then every piece behind its length. */
function signedBytes(receipt) {
  const { version, job, title, workload, workloadVersion, seed, unit, targetError, createdMs, endedMs, issuedMs, parts, leaves, outputs } = receipt;
  const files = outputs.map(({ id, hash }) => [id, hash]);
  const head = [version, job, title, workload, workloadVersion, seed, unit, targetError, createdMs, endedMs, issuedMs, parts, leaves.length, files];
  const framed = [Buffer.from(`${DOMAIN}\0`)];
  for (const piece of [Buffer.from(JSON.stringify(head)), hexBytes(receipt.root, 32)]) {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(piece.length);
    framed.push(length, piece);
  }
  return Buffer.concat(framed);
}

function isSigned(receipt) {
  const x = hexBytes(receipt.publicKey, 32).toString('base64url');
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  return verify(null, signedBytes(receipt), key, hexBytes(receipt.signature, 64));
}

/** A point of small order signs anything for anybody; nobody's honest key is one. */
const SMALL_ORDER_KEYS = new Set([
  '0100000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000080',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0000000000000000000000000000000000000000000000000000000000000080',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
]);

function problemsOf(receipt, expectedKeys) {
  const problems = [];
  const parts = new Map();
  receipt.leaves.forEach((leaf, index) => {
    const name = nameOf(leaf);
    if (leafDigest(receipt.job, leaf) !== leaf.digest) problems.push(`${name}: what the receipt says of it is not what was signed`);
    const before = parts.get(name) ?? 0;
    if ((before & leaf.parts) !== 0) problems.push(`${name}: parts of it are in the receipt twice`);
    parts.set(name, before | leaf.parts);
    const previous = receipt.leaves[index - 1];
    const isLater = previous && (previous.pass - leaf.pass || previous.tile - leaf.tile || (previous.parts & -previous.parts) - (leaf.parts & -leaf.parts)) > 0;
    if (isLater) problems.push(`${name}: stands behind a later one`);
  });
  const held = receipt.leaves.reduce((sum, leaf) => sum + bitsOf(leaf.parts), 0);
  if (held !== receipt.parts) problems.push(`the receipt holds ${held} parts, and the job has ${receipt.parts}`);
  if (rootOf(receipt.leaves.map(({ digest }) => digest)) !== receipt.root)
    problems.push('the tiles do not lead to the root: one was changed, left out, added or moved');
  if (SMALL_ORDER_KEYS.has(receipt.publicKey) || !isSigned(receipt))
    problems.push('the signature does not fit: the head or the root was changed, or another key signed it');
  if (expectedKeys.length > 0 && !expectedKeys.includes(receipt.publicKey))
    problems.push(`signed with the key ${receipt.publicKey}, not with the expected ${expectedKeys.join(' or ')}`);
  return problems;
}

/** What a file is, by its hash; undefined when the receipt does not know it. */
function fileName(receipt, hash) {
  const output = receipt.outputs.find((known) => known.hash === hash);
  if (output) return `the job's ${output.id} file`;
  const leaves = receipt.leaves.filter((leaf) => leaf.hash === hash);
  return leaves.length > 0 ? leaves.map(nameOf).join('; ') : undefined;
}

function readReceipt(path) {
  const receipt = JSON.parse(readFileSync(path, 'utf8'));
  if (receipt?.version !== 1) throw new Error('not a receipt of version 1');
  if (!Array.isArray(receipt.leaves) || receipt.leaves.length === 0 || !Array.isArray(receipt.outputs)) throw new Error('it has no tiles or no list of files');
  for (const leaf of receipt.leaves)
    if (!Array.isArray(leaf?.evidence) || !Number.isInteger(leaf.parts) || leaf.parts <= 0) throw new Error('a tile has no evidence or no parts');
  return receipt;
}

function main(args) {
  const expectedKeys = [];
  for (let at = args.indexOf('--key'); at >= 0; at = args.indexOf('--key')) expectedKeys.push(args.splice(at, 2)[1]?.toLowerCase() ?? '');
  const [path, ...files] = args;
  if (!path || path.startsWith('-') || !expectedKeys.every((key) => /^[0-9a-f]{64}$/.test(key))) {
    console.error(USAGE);
    return 2;
  }
  let receipt;
  let problems;
  try {
    receipt = readReceipt(path);
    problems = problemsOf(receipt, expectedKeys);
  } catch (error) {
    console.error(`${path} cannot be read as a receipt: ${error.message}`);
    return 1;
  }
  for (const file of files) {
    try {
      const known = fileName(receipt, sha256(readFileSync(file)).toString('hex'));
      if (known) console.log(`ok     ${file} is ${known}`);
      else problems.push(`${file} is neither a file nor a tile of this job`);
    } catch (error) {
      problems.push(`${file} cannot be read: ${error.message}`);
    }
  }
  for (const problem of problems) console.log(`WRONG  ${problem}`);
  const drawn = receipt.leaves.reduce((sum, { evidence }) => sum + evidence.reduce((all, found) => all + found.drawn, 0), 0);
  console.log(`Job      ${receipt.job}, ${JSON.stringify(receipt.title)}, done ${new Date(receipt.endedMs).toISOString()}`);
  console.log(`Results  ${receipt.leaves.length}, of which ${drawn} values were computed again`);
  console.log(`Key      ${receipt.publicKey}${expectedKeys.length === 0 ? ' (compare it with the one you trust, or give it with --key)' : ''}`);
  console.log(problems.length === 0 ? 'The receipt is whole and signed with this key.' : `The receipt is NOT good: ${problems.length} problems.`);
  return problems.length === 0 ? 0 : 1;
}

process.exitCode = main(process.argv.slice(2));
