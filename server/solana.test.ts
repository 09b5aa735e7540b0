import { createHash } from 'node:crypto';
import { ed25519 } from '@noble/curves/ed25519.js';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeBase58, TestWallet } from './solana.testing.ts';
import { decodeAddress, isSignatureOf, signingKey } from './solana.ts';

const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'hex'));

/** Every canonical encoding of a point of order 1, 2, 4 or 8. */
const smallOrder = [
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0000000000000000000000000000000000000000000000000000000000000080',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
];
/** Encodings that RFC 8032 forbids: y not below p, and zero with a sign. */
const notCanonical = [
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  '0100000000000000000000000000000000000000000000000000000000000080',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
];

test('base58 is read as it is written, and only 32 bytes are an address', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.integer({ min: 0, max: 4 }), (bytes, zeros) => {
      bytes.fill(0, 0, zeros);
      expect(decodeAddress(encodeBase58(bytes))).toEqual(new Uint8Array(bytes));
    }),
  );
  for (const length of [0, 1, 31, 33, 64]) expect(decodeAddress(encodeBase58(new Uint8Array(length).fill(7)))).toBeNull();
  expect(decodeAddress('1'.repeat(32))).toEqual(new Uint8Array(32));
  expect(decodeAddress('1'.repeat(33))).toBeNull();
  for (const text of ['0', 'O', 'I', 'l', ' ', 'é']) expect(decodeAddress(`${new TestWallet().address.slice(1)}${text}`)).toBeNull();
});

test('keys of people are signing keys', () => {
  for (let round = 0; round < 20; round++) {
    const wallet = new TestWallet();
    expect(signingKey(wallet.address)).toEqual(new Uint8Array(wallet.publicKey));
  }
});

test('small-order, torsion, non-canonical and off-curve keys are not', () => {
  for (const text of [...smallOrder, ...notCanonical]) expect(signingKey(encodeBase58(hex(text))), text).toBeNull();
  for (const text of smallOrder.slice(1)) {
    const mixed = ed25519.Point.BASE.multiply(12345n).add(ed25519.Point.fromHex(text, true));
    expect(signingKey(encodeBase58(mixed.toBytes())), `mixed with ${text}`).toBeNull();
  }
  let offCurve = 0;
  for (let y = 2; y < 40; y++) {
    const bytes = new Uint8Array(32);
    bytes[0] = y;
    try {
      ed25519.Point.fromHex(bytes, true);
    } catch {
      offCurve++;
      expect(signingKey(encodeBase58(bytes))).toBeNull();
    }
  }
  expect(offCurve).toBeGreaterThan(5);
});

test('why small-order keys are refused: anybody signs for them where cofactors are cleared', () => {
  // With A = identity the equation S B = R + h A holds for every message once R = S B.
  const identity = hex('0100000000000000000000000000000000000000000000000000000000000000');
  const message = new Uint8Array(Buffer.from('any message'));
  const scalar = new Uint8Array(32);
  scalar[0] = 5;
  const forged = new Uint8Array(Buffer.concat([ed25519.Point.BASE.multiply(5n).toBytes(), scalar]));
  expect(ed25519.verify(forged, message, identity, { zip215: true })).toBe(true);
  expect(signingKey(encodeBase58(identity))).toBeNull();
});

test('signatures: RFC 8032 test vector 3, and anything altered is none', () => {
  const key = hex('fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025');
  const message = hex('af82');
  const signature = hex('6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a');
  expect(signingKey(encodeBase58(key))).toEqual(key);
  expect(isSignatureOf(key, message, signature)).toBe(true);
  expect(isSignatureOf(key, hex('af83'), signature)).toBe(false);
  expect(isSignatureOf(new TestWallet().publicKey, message, signature)).toBe(false);
  for (let bit = 0; bit < 512; bit += 7) {
    const altered = new Uint8Array(signature);
    altered[bit >> 3]! ^= 1 << (bit & 7);
    expect(isSignatureOf(key, message, altered)).toBe(false);
  }
  expect(isSignatureOf(key, message, Buffer.concat([signature, Buffer.of(0)]))).toBe(false);
  expect(isSignatureOf(key, message, signature.subarray(1))).toBe(false);
  expect(isSignatureOf(key, message, new Uint8Array(0))).toBe(false);
});

test('a second spelling of a signature (S plus the group order) is none', () => {
  const wallet = new TestWallet();
  const message = createHash('sha256').update('text').digest();
  const signature = wallet.sign(message);
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  const s = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString('hex')}`) + order;
  const twin = Buffer.concat([signature.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse()]);
  expect(isSignatureOf(wallet.publicKey, message, signature)).toBe(true);
  expect(isSignatureOf(wallet.publicKey, message, twin)).toBe(false);
});
