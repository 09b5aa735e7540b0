import type { FastifyInstance, FastifyRequest } from 'fastify';
import { DAY_MS, SECOND_MS } from '../../shared/limits.ts';

/*
 * Cross-origin requests (Fetch standard, 3.3): pages of any origin may use the API with a key, as programs do. Without a key nothing is
 * shared: else every page that somebody visits could read what the coordinators of his own network show to guests. Cookies never count,
 * because the answer names no credentials.
 */

const METHODS = 'GET, HEAD, POST, PATCH, DELETE';
const SENT = 'authorization, content-type, idempotency-key, last-event-id, tus-resumable, upload-length, upload-offset, upload-metadata, upload-checksum';
const SHOWN =
  'location, retry-after, www-authenticate, idempotency-replayed, content-disposition, tus-resumable, upload-offset, upload-length, upload-hash, upload-expires';
/** Browsers keep an answer for two hours at most, whatever they are told. */
const KEPT_S = DAY_MS / SECOND_MS;

const isApi = ({ url }: FastifyRequest): boolean => url.startsWith('/api/');

/** Whether the request brings an API key, which no page has that was not given one. */
export const bringsKey = ({ headers }: FastifyRequest): boolean => /^Bearer tk_/i.test(headers.authorization ?? '');

export function shareWithKeys(app: FastifyInstance): void {
  app.addHook('onRequest', async (request, reply) => {
    const { method, headers } = request;
    if (!isApi(request) || headers.origin === undefined) return undefined;
    const asked = headers['access-control-request-headers'];
    const isPreflight = method === 'OPTIONS' && headers['access-control-request-method'] !== undefined;
    if (isPreflight && /(^|[\s,])authorization([\s,]|$)/i.test(String(asked)))
      return reply
        .code(204)
        .headers({
          'access-control-allow-origin': '*',
          'access-control-allow-methods': METHODS,
          'access-control-allow-headers': SENT,
          'access-control-max-age': KEPT_S,
        })
        .send();
    if (bringsKey(request)) reply.headers({ 'access-control-allow-origin': '*', 'access-control-expose-headers': SHOWN });
    return undefined;
  });
}
