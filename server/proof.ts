import { KIB, SECOND_MS } from '../shared/limits.ts';
import { ask, OutboundError, type OutboundOptions } from './outbound.ts';

/** Reads the file by which a site proves that its domain is its owner's, by the rules of `outbound.ts`. */

export const PROOF_PATH = '/.well-known/tessera-site.txt';
const PROOF_MS_MAX = 5 * SECOND_MS;
const PROOF_BYTES_MAX = 4 * KIB;

/** For people: what the owner of the site can mend. */
export class ProofError extends Error {
  override readonly name = 'ProofError';
}

/** The file's text at an origin. Throws `ProofError` when there is none, within 5 s. */
export async function readProof(origin: string, options: OutboundOptions = {}): Promise<string> {
  const url = new URL(PROOF_PATH, origin);
  const question = { method: 'GET', headers: { accept: 'text/plain' }, msMax: PROOF_MS_MAX, bytesMax: PROOF_BYTES_MAX } as const;
  const { status, text, isWhole } = await ask(url, question, options).catch((error: unknown) => {
    throw error instanceof OutboundError ? new ProofError(error.message, { cause: error }) : error;
  });
  if (status !== 200) throw new ProofError(`${url} answered with status ${status}; it must be 200, without a redirect.`);
  if (!isWhole) throw new ProofError(`${url} is longer than ${PROOF_BYTES_MAX} bytes.`);
  return text;
}

/** One line of the file is the token. */
export const proves = (text: string, token: string): boolean => token !== '' && text.split(/\r?\n/).some((line) => line.trim() === token);
