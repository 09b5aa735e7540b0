import { expect, test } from 'vitest';
import { addressOf, networkOf } from './network.ts';

const key = new Uint8Array(32).fill(1);
const net = (address: string): string => networkOf(key, address);

test('one household is one network, its neighbours are others', () => {
  expect(net('203.0.113.7')).toMatch(/^[A-Za-z0-9_-]{43}$/);
  expect(net('203.0.113.250')).toBe(net('203.0.113.7'));
  expect(net('::ffff:203.0.113.9')).toBe(net('203.0.113.7'));
  expect(net('203.0.114.7')).not.toBe(net('203.0.113.7'));
  expect(net('2001:db8:1:2200::1')).toBe(net('2001:DB8:1:22ff:a:b:c:d'));
  expect(net('2001:db8:1:2200::1')).not.toBe(net('2001:db8:1:2300::1'));
  expect(net('fe80::1%eth0')).toBe(net('fe80::2'));
  expect(net('::1')).toBe(net('::2'));
  expect(net('2001:db8::')).not.toBe(net('::2001:db8'));
});

test('a version 4 network never equals a version 6 one, and another key names it otherwise', () => {
  expect(net('0.0.0.1')).not.toBe(net('::1'));
  expect(networkOf(new Uint8Array(32), '203.0.113.7')).not.toBe(net('203.0.113.7'));
});

test('whatever is no address is one network, and nobody else’s', () => {
  for (const text of ['localhost', '203.0.113', '1.2.3.4.5', 'gg::1', '64:ff9b::1.2.3.4']) expect(net(text), text).toBe(net(''));
  expect([net('0.0.0.0'), net('::')]).not.toContain(net(''));
});

test('a proxy is believed only where the operator says so, and only in what it saw itself', () => {
  expect(addressOf('10.0.0.1', '203.0.113.7', false)).toBe('10.0.0.1');
  expect(addressOf('10.0.0.1', '203.0.113.7', true)).toBe('203.0.113.7');
  expect(addressOf('10.0.0.1', '6.6.6.6, 203.0.113.7', true)).toBe('203.0.113.7');
  expect(addressOf('10.0.0.1', ['6.6.6.6', '203.0.113.7'], true)).toBe('203.0.113.7');
  expect(addressOf('10.0.0.1', undefined, true)).toBe('10.0.0.1');
  expect(addressOf('10.0.0.1', '', true)).toBe('10.0.0.1');
});
