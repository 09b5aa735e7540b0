import { createPublicKey, verify } from 'node:crypto';
import { ed25519 } from '@noble/curves/ed25519.js';
import { toBase64Url } from '../shared/formats.ts';

const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
const ALPHABET = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';

/** Base58 as in Bitcoin: digits of one big number, each leading zero byte a `1`. Null unless it is exactly 32 bytes. */
export function decodeAddress(address: string): Uint8Array | null {
  let value = 0n;
  for (const char of address) {
    const digit = ALPHABET.indexOf(char);
    if (digit < 0) return null;
    value = value * 58n + BigInt(digit);
  }
  const digits = value === 0n ? '' : value.toString(16);
  const tail = Buffer.from(digits.length % 2 ? `0${digits}` : digits, 'hex');
  const zeros = /^1*/.exec(address)?.[0].length ?? 0;
  return zeros + tail.byteLength === KEY_BYTES ? new Uint8Array(Buffer.concat([Buffer.alloc(zeros), tail])) : null;
}

/**
 * The key of an address that a person can sign for; null for anything else. RFC 8032 decoding, so y below p and no -0, and
 * only points of the prime-order group: for small-order keys anybody can make signatures, and a key with a torsion part has
 * twins (Chalkias et al., "Taming the many EdDSAs", 2020). Program addresses lie off the curve and are refused as well.
 */
export function signingKey(address: string): Uint8Array | null {
  const bytes = decodeAddress(address);
  if (!bytes) return null;
  try {
    const point = ed25519.Point.fromHex(bytes, false);
    return !point.isSmallOrder() && point.isTorsionFree() ? bytes : null;
  } catch {
    return null;
  }
}

/** Ed25519 (RFC 8032) by OpenSSL. `key` is the answer of `signingKey`. */
export function isSignatureOf(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.byteLength !== SIGNATURE_BYTES) return false;
  const publicKey = createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x: toBase64Url(key) } });
  return verify(null, message, publicKey, signature);
}
