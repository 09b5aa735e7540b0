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

/** Opens a token made by `sealLease` with the same key. Throws `FormatError` on a forged one; expiry is the caller's business. */
export function openLease(key: MacKey, token: string): LeaseBody {
  const bytes = fromBase64Url(token);
  const body = bytes.subarray(0, Math.max(0, bytes.byteLength - LEASE_MAC_BYTES));
  const mac = bytes.subarray(body.byteLength);
  if (mac.byteLength !== LEASE_MAC_BYTES || !timingSafeEqual(mac, macOf(key, body))) throw new FormatError('this lease token was not made by this coordinator');
  return decodeLeaseBody(body);
}
