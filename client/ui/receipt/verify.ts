import { ed25519 } from '@noble/curves/ed25519.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { Value } from 'typebox/value';
import { type Receipt, receiptProblems, receipt as receiptSchema } from '../../../shared/receipt.ts';

/** A receipt and what is wrong with it, in sentences; nothing when it is whole and signed with its key. */
export interface Verdict {
  readonly receipt: Receipt;
  readonly problems: readonly string[];
}

/** RFC 8032 to the letter: the looser rules of ZIP 215 accept signatures that anybody can make for keys of small order. */
const strict = { zip215: false } as const;

function verifies(signature: Uint8Array, bytes: Uint8Array, publicKey: Uint8Array): boolean {
  try {
    return ed25519.verify(signature, bytes, publicKey, strict);
  } catch {
    // Not a key or not a signature at all.
    return false;
  }
}

/** Computes everything anew in this browser. Null when `document` is no receipt of a version that is known here. */
export function verifyReceipt(document: unknown, expectedKeys?: readonly string[]): Verdict | null {
  if (!Value.Check(receiptSchema, document)) return null;
  return { receipt: document, problems: receiptProblems(document, sha256, verifies, expectedKeys) };
}
