import helmet from '@fastify/helmet';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { DAY_MS, SECOND_MS } from '../../shared/limits.ts';
import { machineNames } from '../certificate.ts';
import type { Config } from '../config.ts';
import { bringsKey } from './cors.ts';
import { HttpError } from './errors.ts';

type OriginConfig = Pick<Config, 'publicOrigin'>;

/**
 * Hosts that answer without PUBLIC_ORIGIN: localhost, names below it, and bare addresses. No foreign name can be pointed at
 * us from outside (DNS rebinding) and count as our own. Nor can the machine's own name, which is nobody else's in its network.
 */
const bareHost = /^(localhost|([a-z0-9-]{1,63}\.){1,8}localhost|\d{1,3}(\.\d{1,3}){3}|\[[0-9a-f:.]{2,45}\])(:\d{1,5})?$/;

const ownNames: ReadonlySet<string> = new Set(machineNames());
const isBare = (host: string): boolean => bareHost.test(host) || ownNames.has(host.replace(/:\d{1,5}$/, ''));

const normal = (origin: string): string | null => (URL.canParse(origin) ? new URL(origin).origin : null);

/** The origins that a request to this host may call its own. */
function ownOrigins({ publicOrigin }: OriginConfig, host: string | undefined): (string | null)[] {
  if (publicOrigin !== null) return [publicOrigin];
  const name = host?.toLowerCase() ?? '';
  return isBare(name) ? [normal(`http://${name}`), normal(`https://${name}`)] : [];
}

/** Whether a page of this origin may change things. Without an origin it was no page: browsers send one with every such request. */
export function isOwnOrigin(config: OriginConfig, origin: string | undefined, host: string | undefined): boolean {
  return origin === undefined || ownOrigins(config, host).includes(origin);
}

/** Scheme, host and port under which this request reached us. Throws where that cannot be trusted. */
export function originOf(config: OriginConfig, request: Pick<FastifyRequest, 'protocol' | 'host'>): string {
  const own = config.publicOrigin ?? normal(`${request.protocol}://${request.host.toLowerCase()}`);
  if (own === null || !ownOrigins(config, request.host).includes(own))
    throw new HttpError('forbidden', 'The coordinator does not know this address as its own. Its operator sets PUBLIC_ORIGIN.');
  return own;
}

/** Browsers keep `Secure` cookies from https and from localhost. */
export function isSecureContext(config: OriginConfig, request: Pick<FastifyRequest, 'protocol' | 'host'>): boolean {
  const origin = config.publicOrigin ?? `${request.protocol}://${request.host}`;
  return origin.startsWith('https:') || /^http:\/\/([a-z0-9.-]+\.)?localhost(:\d+)?$/i.test(origin);
}

const readOnly = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Refuses requests that change things and come from foreign pages, which bring no key of their own. */
function refuseForeign(config: OriginConfig, request: FastifyRequest): void {
  if (readOnly.has(request.method) || bringsKey(request)) return;
  const { origin, 'sec-fetch-site': site } = request.headers;
  if (origin === undefined ? site === 'cross-site' || site === 'same-site' : !isOwnOrigin(config, origin, request.host))
    throw new HttpError(
      'forbidden',
      `Pages of ${origin ?? 'another origin'} may not do this. If it is the coordinator’s own address, its operator sets PUBLIC_ORIGIN.`,
    );
}

/**
 * A yes on behalf of a site comes from a page of our own and from nowhere else. Every browser names the origin of a POST, so none
 * means no browser. `Sec-Fetch-Site`, which no script can set, must agree where it is sent; Safari before 16.4 and Firefox before 90
 * send none, and over plain http nobody does but on localhost.
 */
export function refuseUnlessOwnPage(config: OriginConfig, request: FastifyRequest): void {
  const { origin, 'sec-fetch-site': site } = request.headers;
  if (origin !== undefined && isOwnOrigin(config, origin, request.host) && (site === undefined || site === 'same-origin')) return;
  throw new HttpError('forbidden', 'A yes to a site is given in a window of the coordinator’s own, and nowhere else.', 'origin');
}

/**
 * Inline styles are Svelte's; `blob:` workers and images are the kernels' and the pictures'. WebAssembly decodes compressed meshes for the
 * preview; unlike `unsafe-eval` its word lets no text become a script. Wallets on Android are apps, which listen on a port of the device
 * (Mobile Wallet Adapter 2.0, "Local association"); pages that others may frame talk to none.
 */
const policy = (frameAncestors: string, connects: string): string =>
  [
    "default-src 'self'",
    "script-src 'self' 'wasm-unsafe-eval'",
    `connect-src ${connects}`,
    "worker-src 'self' blob:",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self'",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    `frame-ancestors ${frameAncestors}`,
  ].join('; ');

/** Ourselves, and where we send them for large blobs. */
const connectsTo = (s3: Config['s3']): string => (s3?.publicEndpoint ? `'self' ${s3.publicEndpoint}` : "'self'");

/** Lets pages of one origin, our own, and no others show this page in a frame; also those that demand embedding policies (COEP). */
export function allowFraming({ s3 }: Pick<Config, 's3'>, reply: FastifyReply, origin: string): void {
  reply.raw.removeHeader('x-frame-options');
  reply
    .header('content-security-policy', policy(`'self' ${origin}`, connectsTo(s3)))
    .header('cross-origin-resource-policy', 'cross-origin')
    .header('cross-origin-embedder-policy', EMBEDDED);
}

/** A page under this policy may be embedded by one under it; the script of a worker that such a page starts has to carry it as well. */
export const EMBEDDED = 'require-corp';

/** Never with a certificate of our own: browsers then take away the way past their warning. */
const staysSecure = (config: Pick<Config, 'publicOrigin' | 'tls'>): boolean => config.publicOrigin?.startsWith('https:') === true && config.tls !== 'own';
const SECURE_S = (365 * DAY_MS) / SECOND_MS;

/** Of answers that are neither a page nor read by one: those to whoever asks for a socket and gets none. */
export const bareHeaders = (config: Pick<Config, 'publicOrigin' | 'tls'>): Readonly<Record<string, string>> => ({
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  ...(staysSecure(config) ? { 'strict-transport-security': `max-age=${SECURE_S}` } : {}),
});

/** Origin checks and headers on every answer. */
export async function secure(app: FastifyInstance, config: Pick<Config, 'publicOrigin' | 'tls' | 's3'>): Promise<void> {
  await app.register(helmet, {
    contentSecurityPolicy: false,
    // Wallets open popups that must be able to talk back.
    crossOriginOpenerPolicy: false,
    frameguard: { action: 'deny' },
    referrerPolicy: { policy: 'same-origin' },
    strictTransportSecurity: staysSecure(config) ? { maxAge: SECURE_S, includeSubDomains: false } : false,
  });
  const framedByNobody = policy("'none'", `${connectsTo(config.s3)} ws://localhost:*`);
  app.addHook('onRequest', async (request, reply) => {
    reply.header('content-security-policy', framedByNobody);
    refuseForeign(config, request);
  });
}
