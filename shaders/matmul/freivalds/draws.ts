import { createCipheriv } from 'node:crypto';

export const KEY_BYTES = 32;

/** What a stream is drawn for: streams of one key with different purposes have nothing in common. */
export const purposes = { floatBases: 1, wholeBases: 2, floatFactors: 3, wholeFactors: 4 } as const;

/**
 * Secret random bytes: AES-256 in counter mode under the key, the purpose and the panel's columns in the counter's upper bits. Whoever has not
 * the key cannot tell them from chance.
 */
export function draw(key: Uint8Array, purpose: number, first: number, count: number, bytes: number): ArrayBuffer {
  if (key.length !== KEY_BYTES) throw new RangeError(`a key has ${KEY_BYTES} bytes, not ${key.length}`);
  const counter = new Uint8Array(16);
  new Uint32Array(counter.buffer).set([purpose, first, count]);
  const stream = createCipheriv('aes-256-ctr', key, counter).update(new Uint8Array(Math.ceil(bytes / 8) * 8));
  return Uint8Array.from(stream).buffer;
}
