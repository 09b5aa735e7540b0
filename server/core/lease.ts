import { createHmac, timingSafeEqual } from 'node:crypto';
import {
  concatBytes,
  decodeLeaseBody,
  domainBytes,
  encodeLeaseBody,
  FormatError,
  fromBase64Url,
  hashDomains,
  LEASE_MAC_BYTES,
  type LeaseBody,
  toBase64Url,
} from '../../shared/formats.ts';
import type { MacKey } from './state.ts';

const macOf = (key: MacKey, body: Uint8Array): Buffer =>
  createHmac('sha256', key).update(domainBytes(hashDomains.lease, body)).digest().subarray(0, LEASE_MAC_BYTES);

export function sealLease(key: MacKey, lease: LeaseBody): string {
  const body = encodeLeaseBody(lease);
  return toBase64Url(concatBytes(body, macOf(key, body)));
}

function unseal(key: MacKey, token: string): Uint8Array | null {
  const bytes = fromBase64Url(token);
  const body = bytes.subarray(0, Math.max(0, bytes.byteLength - LEASE_MAC_BYTES));
  const mac = bytes.subarray(body.byteLength);
  return mac.byteLength === LEASE_MAC_BYTES && timingSafeEqual(mac, macOf(key, body)) ? body : null;
}

/** Opens a token made by `sealLease` with one of these keys. Throws `FormatError` on a forged one; expiry is the caller's business. */
export function openLease(keys: readonly MacKey[], token: string): LeaseBody {
  for (const key of keys) {
    const body = unseal(key, token);
    if (body) return decodeLeaseBody(body);
  }
  throw new FormatError('this lease token was not made by this coordinator');
}
