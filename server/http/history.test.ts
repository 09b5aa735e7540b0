import { expect, test } from 'vitest';
import type { GroupId, ResultId } from '../../shared/model.ts';
import type { ConsentGrant, HistoryPage } from '../../shared/schemas.ts';
import { exampleJob, exampleResult, exampleTransfer, jobIdOf, resultIdOf } from '../store/testing.ts';
import { credentialOf, type TestApp, Visitor, withApp } from './testing.ts';

/** Ada with two contributors, and Ben with one; results 1, 3 and 5 are of Ada's first, 2 and 4 of her second, 6 of Ben's. */
async function withResults(run: (test: TestApp, ada: Visitor, grants: readonly ConsentGrant[], ben: Visitor) => Promise<void>): Promise<void> {
  await withApp(async (test) => {
    const { store } = test;
    const [ada, ben] = [new Visitor(test), new Visitor(test)];
    const owner = await ada.start();
    await ben.start();
    const grants = [await ada.consent(), await ada.consent(), await ben.consent()];
    const group = { id: 'g_0000000000000001' as GroupId, name: 'Studio', owner, createdMs: 1 };
    await store.groups.create(group, { id: 'm_0000000000000001', group: group.id, owner, name: '', joinedMs: 1 });
    await store.jobs.create(exampleJob(), []);
    await store.jobs.create(exampleJob({ id: jobIdOf(2), title: 'Ours', group: { id: group.id, mode: 'only' } }), []);
    const authors = [0, 1, 0, 1, 0, 2];
    for (const [index, author] of authors.entries()) {
      const result = exampleResult({
        id: resultIdOf(index + 1),
        attempt: index,
        job: jobIdOf(index === 4 ? 2 : 1),
        contributor: grants[author]!.contributor.id,
      });
      await store.commit([{ kind: 'result', result: { ...result, committedMs: 1000 + index } }]);
    }
    const evidence = [{ by: 'cpu', drawn: 64, differing: 0, unexplained: 0, worst: 0, cpuMs: 1 }] as const;
    const credit = `vesting/${grants[0]!.contributor.id}` as const;
    await store.commit([
      { kind: 'verdict', id: resultIdOf(3), state: 'accepted', errorBound: 0, vesting: null, evidence, atMs: 9000 },
      { kind: 'transfer', transfer: exampleTransfer({ id: `pay/${resultIdOf(3)}`, credit, microCredits: 7n, kind: 'pay' }) },
    ]);
    await run(test, ada, grants, ben);
  });
}
const ids = ({ rows }: HistoryPage): ResultId[] => rows.map(({ id }) => id);
const results = (...numbers: number[]): ResultId[] => numbers.map((number) => resultIdOf(number));

test('a contributor’s results, newest first, with verdict, pay and time', () =>
  withResults(async (_test, ada, [first]) => {
    const { body } = await ada.ask<HistoryPage>('GET', '/api/contributors/me/results', undefined, credentialOf(first!));
    expect(ids(body)).toEqual(results(5, 3, 1));
    expect(body.next).toBe(null);
    expect(body.rows[0]).toMatchObject({ jobTitle: 'Ours', group: 'Studio', microCredits: '0' });
    expect(body.rows[1]).toEqual({
      id: resultIdOf(3),
      job: jobIdOf(1),
      jobTitle: 'Kitchen at dusk',
      at: { pass: 2, tile: 3 },
      parts: 7,
      state: 'accepted',
      drawn: 64,
      differing: 0,
      unexplained: 0,
      microCredits: '7',
      committedMs: 1002,
      decidedMs: 9000,
      computeMs: 12.5,
    });
  }));

test('those of all contributors of an account, page by page, each once', () =>
  withResults(async (_test, ada) => {
    const seen: ResultId[][] = [];
    for (let rest = ''; ; ) {
      const { body } = await ada.ask<HistoryPage>('GET', `/api/account/results?limit=2${rest}`);
      seen.push(ids(body));
      if (body.next === null) break;
      rest = `&cursor=${body.next}`;
    }
    expect(seen).toEqual([results(5, 4), results(3, 2), results(1)]);
  }));

test.each([
  ['limit=0', 'limit'],
  ['limit=101', 'limit'],
  ['limit=many', 'limit'],
  ['cursor=r_short', 'cursor'],
  [`cursor=${resultIdOf(6)}`, 'cursor'],
  ['before=x', 'before'],
])('%s is refused, naming the field', (query, field) =>
  withResults(async (_test, ada, [first]) => {
    for (const [path, headers] of [
      ['/api/account/results', {}],
      ['/api/contributors/me/results', credentialOf(first!)],
    ] as const) {
      const { status, body } = await ada.ask('GET', `${path}?${query}`, undefined, headers);
      expect([status, body.field]).toEqual([400, field]);
      expect(body.limit ?? body.detail).toBeTruthy();
    }
  }),
);

test('nobody’s without a credential, and nothing of others', () =>
  withResults(async (test, _ada, _grants, ben) => {
    expect(ids((await ben.ask<HistoryPage>('GET', '/api/account/results')).body)).toEqual(results(6));
    const stranger = new Visitor(test);
    expect((await stranger.ask('GET', '/api/account/results')).status).toBe(401);
    expect((await stranger.ask('GET', '/api/contributors/me/results')).status).toBe(401);
    const wrong = { authorization: `Contributor c_${'A'.repeat(16)}.${'A'.repeat(43)}` };
    expect((await stranger.ask('GET', '/api/contributors/me/results', undefined, wrong)).status).toBe(403);
  }));
