import { toBase64Url } from '../../shared/formats.ts';

/**
 * What all engines of one browser have in common, so that one of them works at a time, whichever sites they are on. Made in our own pages
 * alone, given to frames of ours with the consent, told to the coordinator with every hello, and stored there nowhere.
 */
const KEY = 'tessera.browser';
const BYTES = 32;

let lasting: string | null = null;

export function browserKey(): string {
  try {
    lasting ??= localStorage.getItem(KEY);
  } catch {
    // Storage is switched off: the key lasts as long as the page.
  }
  if (lasting === null || !/^[A-Za-z0-9_-]{43}$/.test(lasting)) lasting = toBase64Url(crypto.getRandomValues(new Uint8Array(BYTES)));
  try {
    localStorage.setItem(KEY, lasting);
  } catch {
    // As above.
  }
  return lasting;
}
