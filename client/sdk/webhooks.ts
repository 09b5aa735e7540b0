/** Deliveries are signed as https://www.standardwebhooks.com describes: HMAC-SHA256 over `id.timestamp.body`. */

/** Older or newer deliveries are refused, so that one that somebody has recorded is of no use later. */
const TOLERANCE_SECONDS = 5 * 60;
const PREFIX = 'whsec_';

export class WebhookError extends Error {
  override readonly name = 'WebhookError';
}

const base64 = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));

/**
 * The content of a delivery, once its signature is right. Throws `WebhookError`.
 *
 * @param body the request's body as it came, not parsed
 * @param secret `whsec_...`, as it was shown when the webhook was made
 * @param nowSeconds the present, in seconds since 1970
 */
export async function verifyWebhook(
  headers: Headers | Readonly<Record<string, string | string[] | undefined>>,
  body: string,
  secret: string,
  nowSeconds: number = Date.now() / 1000,
): Promise<unknown> {
  const get = (name: string): string => (headers instanceof Headers ? headers.get(name) : String(headers[name] ?? '')) ?? '';
  const [id, timestamp, signatures] = [get('webhook-id'), get('webhook-timestamp'), get('webhook-signature')];
  if (!id || !timestamp || !signatures) throw new WebhookError('The headers webhook-id, webhook-timestamp and webhook-signature must be there.');
  if (!(Math.abs(Number(timestamp) - nowSeconds) <= TOLERANCE_SECONDS))
    throw new WebhookError(`The delivery is not from the last ${TOLERANCE_SECONDS / 60} minutes.`);
  const key = await crypto.subtle.importKey('raw', base64(secret.replace(PREFIX, '')), { name: 'HMAC', hash: 'SHA-256' }, false, ['verify']);
  const signed = new TextEncoder().encode(`${id}.${timestamp}.${body}`);
  for (const signature of signatures.split(' ')) {
    const [version, value = ''] = signature.split(',');
    // The comparison is the library's, which takes the same time wherever two signatures differ.
    if (version === 'v1' && (await verified(key, value, signed))) return JSON.parse(body) as unknown;
  }
  throw new WebhookError('The signature does not belong to this body and secret.');
}

type Key = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

async function verified(key: Key, signature: string, signed: Uint8Array<ArrayBuffer>): Promise<boolean> {
  try {
    return await crypto.subtle.verify('HMAC', key, base64(signature), signed);
  } catch {
    return false;
  }
}
