import { createHmac } from 'node:crypto';
import { isIPv4, isIPv6 } from 'node:net';

/** Bytes of an address that name a household or an office: /24 of IPv4, /56 of IPv6. */
const IPV4_BYTES = 3;
const IPV6_BYTES = 7;

/** The sixteen bytes of an IPv6 address without a dotted tail. */
function bytesOfIPv6(address: string): number[] {
  const [head = '', tail] = address.split('::');
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const before = groups(head);
  const after = groups(tail ?? '');
  const middle = Array.from({ length: tail === undefined ? 0 : 8 - before.length - after.length }, () => '0');
  return [...before, ...middle, ...after].flatMap((group) => {
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

/**
 * Where a contributor connects from, without keeping its address: a keyed hash of its network. Contributors of one network do
 * not check each other. Everything that is no address is one network.
 */
export function networkOf(key: Uint8Array, address: string): string {
  const plain = address.replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.)/i, '');
  let prefix = [0];
  if (isIPv4(plain)) prefix = [4, ...plain.split('.').slice(0, IPV4_BYTES).map(Number)];
  else if (isIPv6(plain) && !plain.includes('.')) prefix = [6, ...bytesOfIPv6(plain).slice(0, IPV6_BYTES)];
  return createHmac('sha256', key).update(Uint8Array.from(prefix)).digest('base64url');
}

const IPV6_HOST_BYTES = 8;

/** What counts as one place: an address of IPv4, a /64 of IPv6, within which a machine takes whatever address it likes. */
export function placeOf(address: string): string {
  const plain = address.replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.)/i, '');
  if (plain === '::1' || !isIPv6(plain) || plain.includes('.')) return plain;
  return `${Buffer.from(bytesOfIPv6(plain).slice(0, IPV6_HOST_BYTES)).toString('hex')}/64`;
}

/** The address that our own proxy saw is the last one it forwards; those before it are what the client says. */
export function addressOf(direct: string, forwarded: string | readonly string[] | undefined, trustProxy: boolean): string {
  const last = [forwarded ?? []].flat().join(',').split(',').at(-1)?.trim();
  return trustProxy && last ? last : direct;
}
