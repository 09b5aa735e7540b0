import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../../shared/limits.ts';
import type { DeliveriesPage, DeliveryView, MadeWebhook, WebhookView } from '../../shared/schemas.ts';
import { isSigned, Receiver } from '../delivering.testing.ts';
import { TestWallet } from '../solana.testing.ts';
import { jobIdOf } from '../store/testing.ts';
import { storeJob, withOperatorApp } from './operator.testing.ts';
import { type TestApp, Visitor } from './testing.ts';

let receiver: Receiver;
beforeEach(async () => {
  receiver = await Receiver.listen();
});
afterEach(() => receiver.close());

const events = ['job.done', 'job.progress'];
const hook = (visitor: Visitor, url = receiver.url(), wanted: readonly string[] = events) =>
  visitor.ask<MadeWebhook>('POST', '/api/webhooks', { url, events: wanted });

async function requester(test: TestApp) {
  const visitor = new Visitor(test);
  return { visitor, owner: await visitor.start() };
}

const summary = {
  parts: { total: 4, accepted: 4, checking: 0, leased: 0 },
  contributors: 1,
  checksDone: { cpu: 0, trusted: 0, contributor: 0, refuted: 0, revoked: 0, errorBound: 0 },
  paidMicroCredits: '0',
};

describe('a webhook', () => {
  it('is made with a secret that is shown once, tested, listed, and removed', () =>
    withOperatorApp(async (test) => {
      const { visitor } = await requester(test);
      const made = await hook(visitor);
      expect([made.status, made.headers['cache-control']]).toEqual([201, 'no-store']);
      const { secret, ...view } = made.body;
      expect(Buffer.from(secret.slice('whsec_'.length), 'base64')).toHaveLength(32);
      expect(view).toEqual({ id: view.id, url: receiver.url(), events, createdMs: test.now.ms, failures: 0, disabled: null, lastDelivery: null });

      const tested = await visitor.ask<DeliveryView>('POST', `/api/webhooks/${view.id}/test`);
      expect(tested.body).toMatchObject({ type: 'webhook.test', job: null, state: 'delivered', attempts: 1, status: 204, error: null });
      expect(isSigned(receiver.got[0]!, secret)).toBe(true);
      expect(receiver.got[0]!.body).toMatchObject({ type: 'webhook.test', data: { webhook: view.id } });
      receiver.answer = (response) => void response.writeHead(404).end();
      const failed = await visitor.ask<DeliveryView>('POST', `/api/webhooks/${view.id}/test`);
      expect(failed.body).toMatchObject({ state: 'failed', status: 404, nextMs: null });

      const listed = await visitor.ask<{ webhooks: WebhookView[] }>('GET', '/api/webhooks');
      expect(listed.body.webhooks).toEqual([{ ...view, failures: 1, lastDelivery: failed.body }]);
      expect(listed.text).not.toContain(secret.slice(6));
      expect((await visitor.ask('DELETE', `/api/webhooks/${view.id}`)).status).toBe(200);
      expect((await visitor.ask<{ webhooks: WebhookView[] }>('GET', '/api/webhooks')).body.webhooks).toEqual([]);
      expect((await visitor.ask('DELETE', `/api/webhooks/${view.id}`)).status).toBe(404);
    }));

  it.each([
    ['http://example.com/hook', 'https only'],
    ['https://10.0.0.1/hook', 'not public'],
    ['https://[::1]/hook', 'not public'],
    ['https://[::ffff:192.168.0.1]/hook', 'not public'],
    ['https://me:secret@example.com/hook', 'without a name'],
    ['https://example.com/hook#part', 'without a name'],
    ['https://example.com:25/hook', 'port'],
    ['example.com/hook', 'no address'],
    ['javascript:alert(1)', 'https only'],
  ])('to %s is refused', (url, why) =>
    withOperatorApp(async (test) => {
      const { visitor } = await requester(test);
      const refused = await visitor.ask('POST', '/api/webhooks', { url, events });
      expect([refused.status, refused.body.field]).toEqual([422, 'url']);
      expect(refused.body.detail).toContain(why);
      expect(refused.body.limit).toBeDefined();
    }),
  );

  it('is one of a few, with known events', () =>
    withOperatorApp(async (test) => {
      const { visitor } = await requester(test);
      for (const wanted of [[], ['job.started'], ['job.done', 'job.done']]) {
        const refused = await visitor.ask('POST', '/api/webhooks', { url: receiver.url(), events: wanted });
        expect([refused.status, refused.body.field?.split('.')[0]]).toEqual([400, 'events']);
      }
      for (let each = 0; each < limits.webhooksPerOwnerMax; each++) expect((await hook(visitor)).status).toBe(201);
      const refused = await visitor.ask('POST', '/api/webhooks', { url: receiver.url(), events });
      expect([refused.status, refused.body.code]).toEqual([429, 'too_many']);
      expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    }));

  it('is told of its owner’s jobs by the events that it wants, and its deliveries are paged', () =>
    withOperatorApp(async (test) => {
      const [ada, bob] = [await requester(test), await requester(test)];
      const [all, done] = [(await hook(ada.visitor)).body, (await hook(ada.visitor, receiver.url(), ['job.done'])).body];
      const foreign = (await hook(bob.visitor)).body;
      for (let number = 1; number <= 3; number++) {
        const { id } = await storeJob(test, { id: jobIdOf(number), owner: ada.owner });
        const progress = { kind: 'jobProgress', id, percent: 50, atMs: test.now.ms, parts: { ...summary.parts, accepted: 2 } } as const;
        // Taken back and reached again: told once.
        await test.store.commit([progress, progress]);
        await test.store.commit([{ kind: 'jobEnded', id, status: number === 3 ? 'cancelled' : 'done', atMs: test.now.ms, summary }]);
      }
      const page = async (visitor: Visitor, id: string, query = '') =>
        (await visitor.ask<DeliveriesPage>('GET', `/api/webhooks/${id}/deliveries${query}`)).body;
      const told = (rows: DeliveriesPage['rows']) => rows.map(({ type, job }) => `${type} ${job?.at(-1)}`);
      const first = await page(ada.visitor, all.id, '?limit=3');
      expect(told(first.rows)).toEqual(['job.progress 3', 'job.done 2', 'job.progress 2']);
      expect(first.rows[0]).toMatchObject({ state: 'waiting', attempts: 0, status: null, attemptedMs: null, nextMs: test.now.ms });
      const second = await page(ada.visitor, all.id, `?limit=3&cursor=${first.next}`);
      expect([told(second.rows), second.next]).toEqual([['job.done 1', 'job.progress 1'], null]);
      expect(told((await page(ada.visitor, done.id)).rows)).toEqual(['job.done 2', 'job.done 1']);
      expect((await page(bob.visitor, foreign.id)).rows).toEqual([]);
      const wrong = await ada.visitor.ask('GET', `/api/webhooks/${done.id}/deliveries?cursor=${first.next}`);
      expect([wrong.status, wrong.body.field]).toEqual([422, 'cursor']);
      const [theirs, nobodys] = await Promise.all(
        [all.id, 'wh_AAAAAAAAAAAAAAAA'].map(async (id) => (await bob.visitor.ask('GET', `/api/webhooks/${id}/deliveries`)).text),
      );
      expect(theirs).toBe(nobodys);
      // Old ones go, but for what waits.
      await test.store.webhooks.prune(test.now.ms + 1);
      expect((await page(ada.visitor, all.id)).rows).toHaveLength(5);
    }));

  it('goes along when its owner signs in with a wallet', () =>
    withOperatorApp(async (test) => {
      const { visitor } = await requester(test);
      const { id } = (await hook(visitor)).body;
      const wallet = new TestWallet();
      const made = await visitor.ask<{ nonce: string; text: string }>('POST', '/api/account/challenge', { address: wallet.address });
      expect((await visitor.ask('POST', '/api/account/sign-in', wallet.answer(made.body.nonce, made.body.text))).status).toBe(200);
      expect((await visitor.ask<{ webhooks: WebhookView[] }>('GET', '/api/webhooks')).body.webhooks.map((webhook) => webhook.id)).toEqual([id]);
    }));

  it('is tested a few times a minute', () =>
    withOperatorApp(async (test) => {
      const { visitor } = await requester(test);
      const { id } = (await hook(visitor)).body;
      const statuses: number[] = [];
      for (let each = 0; each <= limits.webhookTestsPerMinuteMax; each++) statuses.push((await visitor.ask('POST', `/api/webhooks/${id}/test`)).status);
      expect(statuses).toEqual([...Array.from({ length: limits.webhookTestsPerMinuteMax }, () => 200), 429]);
    }));
});
