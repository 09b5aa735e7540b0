import { afterAll, beforeAll, expect, test } from 'vitest';
import type { AccountView, JobView } from '../shared/schemas.ts';
import { Contributor, order, requester, Visitor, whole } from './whole.testing.ts';

/** Whoever has his data deleted while his GPU works and his picture is looked at: the whole coordinator, over real HTTP and real sockets. */

beforeAll(() => whole.open());
afterAll(() => whole.close());

test('his engine is cut off, his result on its way is refused, his pictures are gone; who worked for him keeps the pay', async () => {
  const bob = await requester();
  const ada = await requester();
  // Her picture, which Bob's GPU has computed.
  const { body: picture } = await ada.call<JobView>('POST', '/api/jobs', order);
  const helper = await Contributor.join(bob);
  await helper.workOff();
  await expect.poll(async () => (await ada.call<JobView>('GET', `/api/jobs/${picture.id}`)).body.status).toBe('done');
  expect((await ada.call('DELETE', `/api/account`, {})).status).toBe(200);
  for (const visitor of [ada, bob, new Visitor()]) expect((await visitor.call('GET', `/api/jobs/${picture.id}`)).status).toBe(404);
  const { rows } = (await bob.call<{ rows: { job: string; kind: string }[] }>('GET', '/api/account/statement')).body;
  expect(rows.filter(({ job, kind }) => job === picture.id && kind === 'pay').length).toBeGreaterThan(0);
  const history = (await bob.call<{ rows: { job: string; jobTitle: string }[] }>('GET', '/api/account/results')).body;
  expect(new Set(history.rows.map(({ jobTitle }) => jobTitle))).toEqual(new Set(['Deleted job']));
  await expect.poll(async () => BigInt((await bob.call<AccountView>('GET', '/api/account')).body.balances[0]?.earnedMicroCredits ?? '0')).toBeGreaterThan(0n);
  helper.socket.close();

  // Another one, whose GPU has a tile of Bob's picture in work.
  const eve = await requester();
  await bob.call('POST', '/api/jobs', order);
  const engine = await Contributor.join(eve);
  const [lease] = await engine.lease();
  if (!lease) throw new Error('there is no work');
  const made = await engine.compute(lease);
  const said = new Promise((resolve) => engine.socket.once('consent:ended', resolve));
  const cut = new Promise((resolve) => engine.socket.once('disconnect', resolve));
  expect((await eve.call('DELETE', '/api/account', {})).status).toBe(200);
  expect(await said).toEqual({ reason: 'The consent was withdrawn.' });
  await cut;
  const back = await Contributor.connect(engine.grant);
  const hello = await back.raw('hello', back.hello());
  expect(hello).toMatchObject({ error: { code: 'forbidden', field: 'contributor' } });
  expect(await back.handIn(lease, made)).toMatchObject({ error: { code: 'forbidden' } });
  back.socket.close();
});
