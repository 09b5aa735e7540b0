import { describe, expect, test } from 'vitest';
import { CLASSES_MAX } from './agreements.ts';
import type { Agreement, Write } from './store.ts';
import { stores } from './stores.testing.ts';
import { exampleTransfer } from './testing.ts';

const exampleAgreement = (own: Partial<Agreement> = {}): Agreement => ({
  workload: 'example',
  author: 'intel/xe/vulkan',
  auditor: 'cpu',
  drawn: 64,
  differing: 2,
  unexplained: 1,
  ...own,
});
const agreementOf = (own: Partial<Agreement> = {}): Write => ({ kind: 'agreement', agreement: exampleAgreement(own) });

describe.each(stores)('$name', ({ withDatabase, withStore }) => {
  test('pairs add up within a commit and over commits, apart by workload, author and auditor', () =>
    withStore(async (store) => {
      const others = [{ workload: 'other' }, { author: 'a/b/c' }, { auditor: 'a/b/c' }];
      await store.commit([agreementOf(), agreementOf({ drawn: 6, differing: 0, unexplained: 0 }), ...others.map(agreementOf)]);
      await store.commit([agreementOf({ drawn: 30, differing: 3, unexplained: 0 })]);
      const [first, ...rest] = await store.agreements(10);
      expect(first).toEqual(exampleAgreement({ drawn: 100, differing: 5, unexplained: 1 }));
      expect(rest).toHaveLength(3);
      expect(rest).toEqual(expect.arrayContaining(others.map(exampleAgreement)));
      expect(await store.agreements(1)).toEqual([first]);
    }));

  test('what a failed commit would have added is not there, and the next one adds up', () =>
    withStore(async (store) => {
      const bad: Write = { kind: 'transfer', transfer: exampleTransfer({ id: 'x', debit: 'device:poor000000000000/earned' as never }) };
      await expect(store.commit([agreementOf(), bad])).rejects.toThrow();
      expect(await store.agreements(10)).toEqual([]);
      await store.commit([agreementOf()]);
      expect(await store.agreements(10)).toEqual([exampleAgreement()]);
    }));

  test('a name that is no text to a database is counted all the same', () =>
    withStore(async (store) => {
      await store.commit(['a\0', 'a\ud800', 'a\ud801', '{"\\'].map((author) => agreementOf({ author })));
      const rows = await store.agreements(10);
      expect(rows.map(({ author, drawn }) => [author, drawn]).sort()).toEqual([
        ['a\ufffd', 3 * 64],
        ['{"\\', 64],
      ]);
    }));

  test('classes beyond the cap are counted as other, and it survives a restart', () =>
    withDatabase(async (database) => {
      const store = await database.open();
      const classes = Array.from({ length: CLASSES_MAX }, (_, number) => `class/${number}/x`);
      await store.commit(classes.map((author) => agreementOf({ author })));
      await store.commit(classes.map((auditor) => agreementOf({ author: classes[0]!, auditor })));
      await store.close();
      const reopened = await database.open();
      await reopened.commit([
        agreementOf({ author: 'late/a/x', drawn: 1 }),
        agreementOf({ author: 'late/b/x', drawn: 2 }),
        agreementOf({ author: classes[0]!, auditor: 'late/c/x', drawn: 4 }),
        agreementOf({ author: classes[1]!, drawn: 8 }),
        agreementOf({ workload: 'other', author: 'late/a/x', drawn: 16 }),
      ]);
      const rows = await reopened.agreements(1000);
      const drawn = (workload: string, author: string, auditor: string) =>
        rows.find((row) => row.workload === workload && row.author === author && row.auditor === auditor)?.drawn;
      expect(drawn('example', 'other', 'cpu')).toBe(3);
      // The row with the coordinator is one of the author's.
      expect(rows.filter(({ author }) => author === classes[0])).toHaveLength(CLASSES_MAX + 1);
      expect(drawn('example', classes[0]!, 'other')).toBe(64 + 4);
      expect(drawn('example', classes[1]!, 'cpu')).toBe(64 + 8);
      expect(drawn('other', 'late/a/x', 'cpu')).toBe(16);
      expect(rows.some(({ author, workload }) => workload === 'example' && author.startsWith('late'))).toBe(false);
      await reopened.close();
    }));
});
