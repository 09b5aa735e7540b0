import { createHmac, timingSafeEqual } from 'node:crypto';
import { fromBase64Url, toBase64Url } from '../../shared/formats.ts';
import { type StoredKey, signingKey } from '../store/keys.ts';
import { HttpError } from './errors.ts';

const MAC_BYTES = 12;
const text = /^([A-Za-z0-9_-]{1,250})[.]([A-Za-z0-9_-]{16})$/;

/**
 * Where a list goes on, as text that means nothing to anybody else: a position, and a keyed hash over it and the list. So a page begins
 * behind a row and not behind a number of rows, whatever was added meanwhile, and a cursor of another list, or of somebody else's, is refused.
 */
export class Cursors {
  #keys: readonly StoredKey[];

  constructor(keys: readonly StoredKey[]) {
    this.#keys = keys;
  }

  /** Cursors are made with the one that signs from here on, and those made with any of these are taken. */
  use(keys: readonly StoredKey[]): void {
    this.#keys = keys;
  }

  #mac({ bytes }: StoredKey, list: string, position: string): Buffer {
    return createHmac('sha256', bytes)
      .update(JSON.stringify([list, position]))
      .digest()
      .subarray(0, MAC_BYTES);
  }

  encode(list: string, position: string | number | null): string | null {
    if (position === null) return null;
    return `${toBase64Url(Buffer.from(String(position)))}.${toBase64Url(this.#mac(signingKey(this.#keys), list, String(position)))}`;
  }

  /** Undefined for the first page. Throws `HttpError` naming the parameter. */
  decode(list: string, cursor: string | undefined): string | undefined {
    if (cursor === undefined) return undefined;
    const [, position = '', mac = ''] = text.exec(cursor) ?? [];
    const decoded = position === '' ? '' : Buffer.from(position, 'base64url').toString();
    if (position === '' || !this.#keys.some((key) => timingSafeEqual(fromBase64Url(mac), this.#mac(key, list, decoded))))
      throw new HttpError('bad_input', 'This is no cursor of this list.', 'cursor', '`next` of the page before');
    return decoded;
  }

  /** The position as a number, `first` for the first page. */
  decodeNumber(list: string, cursor: string | undefined, first: number): number {
    const position = this.decode(list, cursor);
    return position === undefined ? first : Number(position);
  }
}

/** Newest first: everything is older than this. */
export const NEWEST = Number.MAX_SAFE_INTEGER;
