import { Resolver } from 'node:dns/promises';
import { type IncomingMessage, request as requestPlain } from 'node:http';
import { request as requestSecure } from 'node:https';
import { BlockList, isIP } from 'node:net';
import { SECOND_MS } from '../shared/limits.ts';

/**
 * Questions to addresses that others name: the proofs of sites, the receivers of webhooks. Such an address is foreign input, so the coordinator must not be
 * made to ask its own network (server-side request forgery): names are resolved once, every address they give must be public, and the connection goes to
 * the address that was checked. No redirects. Only `localhost` and names below it may be loopback, and only they may be plain http.
 */

/** For people: what the owner of the address can mend. */
export class OutboundError extends Error {
  override readonly name = 'OutboundError';
  /** There was no answer in time. */
  readonly isLate: boolean;

  constructor(message: string, isLate = false) {
    super(message);
    this.isLate = isLate;
  }
}

interface Address {
  readonly address: string;
  readonly family: 4 | 6;
}
type Resolve = (hostname: string) => Promise<readonly Address[]>;

const LOOKUP_MS_MAX = 2 * SECOND_MS;
const LOOKUPS_MAX = 2;
/** Of one name; each is tried in turn. */
const ADDRESSES_MAX = 8;

/** Not `dns.lookup`: that waits in the few threads that also read our files, and a name server of somebody else's may be slow on purpose. */
const resolveAll: Resolve = async (hostname) => {
  const resolver = new Resolver({ timeout: LOOKUP_MS_MAX, tries: LOOKUPS_MAX });
  const none = (): string[] => [];
  const [v4, v6] = await Promise.all([resolver.resolve4(hostname).catch(none), resolver.resolve6(hostname).catch(none)]);
  return [...v4.map((address) => ({ address, family: 4 as const })), ...v6.map((address) => ({ address, family: 6 as const }))];
};

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
  if (found.length === 0) throw new OutboundError(`The name ${hostname} leads to no address.`);
  if (!found.every(({ address }) => isPublicAddress(address))) throw new OutboundError(`The name ${hostname} leads to an address that is not public.`);
  return found.slice(0, ADDRESSES_MAX);
}

/** Throws `OutboundError` on what is never asked, whatever its name leads to. */
export function refuseTarget(url: URL, allowsLocal: boolean): void {
  if (isLocalName(url.hostname) && !allowsLocal) throw new OutboundError(`${url.hostname} is a name of the coordinator’s own machine.`);
  const isPlain = url.protocol === 'http:' && isLocalName(url.hostname);
  if (url.protocol !== 'https:' && !isPlain) throw new OutboundError('Addresses are asked by https only; plain http does for localhost.');
  const bare = url.hostname.replace(/^\[|\]$/g, '');
  if (isIP(bare) !== 0 && !isPublicAddress(bare)) throw new OutboundError(`The address ${bare} is not public.`);
}

export interface OutboundRequest {
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** From the look-up of the name to the end of the answer. */
  readonly msMax: number;
  /** Of the answer; the rest is not read. */
  readonly bytesMax: number;
}

export interface OutboundOptions {
  /** Whether it may be on this machine: only where the coordinator itself is used as localhost. Default false. */
  readonly allowsLocal?: boolean | undefined;
  readonly resolve?: Resolve | undefined;
  /** Gives it up. */
  readonly signal?: AbortSignal | undefined;
}

export interface OutboundAnswer {
  readonly status: number;
  /** UTF-8. */
  readonly text: string;
  /** False: it was longer than `bytesMax`, and `text` is its beginning. */
  readonly isWhole: boolean;
}

/** Asks once, without redirects. Throws `OutboundError` when there is no answer in time. */
export async function ask(
  url: URL,
  question: OutboundRequest,
  { allowsLocal = false, resolve = resolveAll, signal }: OutboundOptions = {},
): Promise<OutboundAnswer> {
  refuseTarget(url, allowsLocal);
  const timeout = AbortSignal.timeout(question.msMax);
  const over = signal ? AbortSignal.any([timeout, signal]) : timeout;
  const givenUp = new Promise<never>((_, reject) => {
    const tell = (): void =>
      reject(
        timeout.aborted
          ? new OutboundError(`${url} did not answer within ${question.msMax / SECOND_MS} s.`, true)
          : new OutboundError('The coordinator stopped.'),
      );
    if (over.aborted) tell();
    else over.addEventListener('abort', tell, { once: true });
  });
  const addresses = await Promise.race([addressesOf(url.hostname, resolve), givenUp]);
  let failure: unknown;
  for (const address of addresses) {
    try {
      return await Promise.race([askAt(url, address, question, over), givenUp]);
    } catch (error) {
      if (error instanceof OutboundError) throw error;
      failure = error;
    }
  }
  throw new OutboundError(`${url} could not be reached: ${failure instanceof Error ? failure.message : String(failure)}`);
}

/** Connects to this one address; the name is used for TLS and the Host header only. */
function askAt(url: URL, { address, family }: Address, { method, headers, body, bytesMax }: OutboundRequest, signal: AbortSignal): Promise<OutboundAnswer> {
  const request = url.protocol === 'https:' ? requestSecure : requestPlain;
  return new Promise((resolve, reject) => {
    const asking = request(
      url,
      {
        agent: false,
        method,
        signal,
        family,
        lookup: (_name, options, found) => (options.all ? found(null, [{ address, family }]) : found(null, address, family)),
        headers: { 'user-agent': 'tessera', ...headers },
      },
      (response) => void read(response, bytesMax).then(resolve, reject),
    );
    asking.on('error', reject);
    asking.end(body);
  });
}

function read(response: IncomingMessage, bytesMax: number): Promise<OutboundAnswer> {
  return new Promise((resolve, reject) => {
    const status = response.statusCode ?? 0;
    let text = '';
    let bytes = 0;
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      bytes += Buffer.byteLength(chunk);
      if (bytes <= bytesMax) text += chunk;
      else {
        resolve({ status, text, isWhole: false });
        response.destroy();
      }
    });
    response.on('end', () => resolve({ status, text, isWhole: true }));
    response.on('error', reject);
  });
}
