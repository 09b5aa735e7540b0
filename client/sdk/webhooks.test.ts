import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import { verifyWebhook, WebhookError } from './webhooks.ts';

const secret = `whsec_${Buffer.from('a secret of this test, 32 bytes.').toString('base64')}`;
const now = 1_700_000_000;
const body = '{"type":"job.done","job":"j_0123456789abcdef"}';

const sign = (text: string, at = now, id = 'msg_1'): string =>
  `v1,${createHmac('sha256', Buffer.from(secret.slice(6), 'base64'))
    .update(`${id}.${at}.${text}`)
    .digest('base64')}`;

const headers = (signature: string, at = now): Record<string, string> => ({
  'webhook-id': 'msg_1',
  'webhook-timestamp': String(at),
  'webhook-signature': signature,
});

test('the example of the Standard Webhooks specification is right', async () => {
  const example = {
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  };
  expect(await verifyWebhook(example, '{"test": 2432232314}', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 1_614_265_330)).toEqual({ test: 2432232314 });
});

test('one right signature among several is enough, as after a change of secrets', async () => {
  expect(await verifyWebhook(headers(`v1,AAAA v2,x ${sign(body)}`), body, secret, now)).toMatchObject({ type: 'job.done' });
  expect(await verifyWebhook(new Headers(headers(sign(body))), body, secret, now)).toMatchObject({ type: 'job.done' });
});

test.each([
  ['another body', headers(sign(body)), `${body} `, now],
  ['another secret', headers(`v1,${Buffer.alloc(32).toString('base64')}`), body, now],
  ['a signature that is no base64', headers('v1,!!'), body, now],
  ['a delivery of yesterday', headers(sign(body, now - 86_400), now - 86_400), body, now],
  ['a time that is none', headers(sign(body), Number.NaN), body, now],
  ['no headers', {}, body, now],
])('%s is refused', async (_, given, text, at) => {
  await expect(verifyWebhook(given, text, secret, at)).rejects.toThrow(WebhookError);
});
