import { lookup as lookupName } from 'node:dns/promises';
import { request as requestPlain } from 'node:http';
import { request as requestSecure } from 'node:https';
import { BlockList, isIP } from 'node:net';
import { KIB, SECOND_MS } from '../shared/limits.ts';

/**
 * Reads the file by which a site proves that its domain is its owner's. The address is foreign input, so the coordinator must not be
 * made to ask its own network (server-side request forgery): names are resolved once, every address they give must be public, and the connection goes to the
 * address that was checked. No redirects. Only `localhost` and names below it may be loopback, and only they may be plain http.
 */

export const PROOF_PATH = '/.well-known/tessera-site.txt';
const PROOF_MS_MAX = 5 * SECOND_MS;
const PROOF_BYTES_MAX = 4 * KIB;

/** For people: what the owner of the site can mend. */
export class ProofError extends Error {
  override readonly name = 'ProofError';
}

interface Address {
  readonly address: string;
  readonly family: 4 | 6;
}
type Resolve = (hostname: string) => Promise<readonly Address[]>;

const resolveAll: Resolve = async (hostname) => (await lookupName(hostname, { all: true, verbatim: true })) as Address[];

/** Everything that IANA's registries of special-purpose addresses do not call globally reachable, and what leads to IPv4 inside IPv6. */
const special = new BlockList();
for (const [net, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const)
  special.addSubnet(net, bits, 'ipv4');
const globalUnicast = new BlockList();
globalUnicast.addSubnet('2000::', 3, 'ipv6');
for (const [net, bits] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const)
  special.addSubnet(net, bits, 'ipv6');

export const isPublicAddress = (address: string): boolean => {
  const version = isIP(address);
  if (version === 4) return !special.check(address, 'ipv4');
  return version === 6 && !address.includes('%') && globalUnicast.check(address, 'ipv6') && !special.check(address, 'ipv6');
};

export const isLocalName = (hostname: string): boolean => hostname === 'localhost' || hostname.endsWith('.localhost');

/** Names below localhost are this machine by RFC 6761, whatever a resolver says, and nothing else is. */
const loopback: readonly Address[] = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
];

async function addressesOf(hostname: string, resolve: Resolve): Promise<readonly Address[]> {
  if (isLocalName(hostname)) return loopback;
  const bare = hostname.replace(/^\[|\]$/g, '');
  const version = isIP(bare);
  const found = version === 0 ? await resolve(hostname).catch(() => []) : [{ address: bare, family: version as 4 | 6 }];
  if (found.length === 0) throw new ProofError(`The name ${hostname} leads to no address.`);
  if (!found.every(({ address }) => isPublicAddress(address))) throw new ProofError(`The name ${hostname} leads to an address that is not public.`);
  return found;
}

export interface ProofOptions {
  /** Whether sites may be on this machine: only where the coordinator itself is used as localhost. Default false. */
  readonly allowsLocal?: boolean;
  readonly resolve?: Resolve;
}

/** The file's text at an origin. Throws `ProofError` when there is none, within 5 s. */
export async function readProof(origin: string, { allowsLocal = false, resolve = resolveAll }: ProofOptions = {}): Promise<string> {
  const url = new URL(PROOF_PATH, origin);
  if (isLocalName(url.hostname) && !allowsLocal) throw new ProofError(`${url.hostname} is a name of the coordinator’s own machine.`);
  if (url.protocol !== 'https:' && !isLocalName(url.hostname)) throw new ProofError('The file is read by https only; plain http does for localhost.');
  const signal = AbortSignal.timeout(PROOF_MS_MAX);
  const tooLate = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(new ProofError(`${url} did not answer within ${PROOF_MS_MAX / SECOND_MS} s.`)), { once: true });
  });
  const addresses = await Promise.race([addressesOf(url.hostname, resolve), tooLate]);
  let failure: unknown;
  for (const address of addresses) {
    try {
      return await Promise.race([readFrom(url, address, signal), tooLate]);
    } catch (error) {
      if (error instanceof ProofError) throw error;
      failure = error;
    }
  }
  throw new ProofError(`${url} could not be reached: ${failure instanceof Error ? failure.message : String(failure)}`);
}

/** Connects to this one address; the name is used for TLS and the Host header only. */
function readFrom(url: URL, { address, family }: Address, signal: AbortSignal): Promise<string> {
  const request = url.protocol === 'https:' ? requestSecure : requestPlain;
  return new Promise((resolve, reject) => {
    const asking = request(
      url,
      {
        agent: false,
        signal,
        family,
        lookup: (_name, options, found) => (options.all ? found(null, [{ address, family }]) : found(null, address, family)),
        headers: { accept: 'text/plain', 'user-agent': 'tessera' },
      },
      (response) => {
        const { statusCode } = response;
        const refuse = (message: string): void => {
          response.destroy();
          reject(new ProofError(message));
        };
        if (statusCode !== 200) return refuse(`${url} answered with status ${statusCode}; it must be 200, without a redirect.`);
        let text = '';
        let bytes = 0;
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          bytes += Buffer.byteLength(chunk);
          if (bytes > PROOF_BYTES_MAX) refuse(`${url} is longer than ${PROOF_BYTES_MAX} bytes.`);
          else text += chunk;
        });
        response.on('end', () => resolve(text));
        response.on('error', reject);
      },
    );
    asking.on('error', reject);
    asking.end();
  });
}

/** One line of the file is the token. */
export const proves = (text: string, token: string): boolean => token !== '' && text.split(/\r?\n/).some((line) => line.trim() === token);
