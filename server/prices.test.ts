import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, test } from 'vitest';
import { workload, workloadIds } from '../shaders/registry.ts';
import type { ExtensionQuote, JobView, PriceView, Quote } from '../shared/schemas.ts';
import { ConfigError } from './config.ts';
import { Prices, readCalibrations } from './prices.ts';
import { openSqliteStore } from './store/sqlite.ts';
import type { Store } from './store/store.ts';
import { temporaryFolder } from './store/testing.ts';
import { Contributor, entry, order, requester, small, type Visitor, whole } from './whole.testing.ts';

const [first = '', second = ''] = workloadIds;
const calibrations = await readCalibrations();

describe('the price book', () => {
  let folder: ReturnType<typeof temporaryFolder>;
  let store: Store;
  let now = 1000;
  beforeEach(async () => {
    folder = temporaryFolder();
    store = await openSqliteStore(folder.path);
  });
  afterEach(async () => {
    await store.close();
    folder.remove();
  });
  const open = (own: Partial<Parameters<typeof Prices.open>[0]> = {}): Promise<Prices> =>
    Prices.open({ store, ratePerUnit: 5n, rates: new Map(), calibrations, clock: () => now, ...own });
  const versions = (prices: Prices): number[] => workloadIds.map((id) => prices.of(id).version);

  it('has an entry for every workload, and a new one only of what is another', async () => {
    const begun = await open({ rates: new Map([[second, 9n]]) });
    expect(versions(begun)).toEqual(workloadIds.map((_, index) => index + 1));
    expect(begun.of(first)).toMatchObject({
      ratePerUnit: 5n,
      kernelVersion: workload(first)?.spec.version,
      calibration: calibrations.get(first),
      fromMs: 1000,
    });
    expect(begun.of(second).ratePerUnit).toBe(9n);
    now = 2000;
    expect((await open({ rates: new Map([[second, 9n]]) })).all()).toEqual(begun.all());
    const dearer = await open({ rates: new Map([[second, 10n]]) });
    expect(dearer.of(second)).toMatchObject({ version: workloadIds.length + 1, ratePerUnit: 10n, fromMs: 2000 });
    expect(dearer.of(first)).toEqual(begun.of(first));
    // Back to an earlier price is a new entry too: what is in force is the newest.
    expect((await open({ rates: new Map([[second, 9n]]) })).of(second).version).toBe(workloadIds.length + 2);
  });

  it('notices another calibration and another version of the kernel', async () => {
    const { version, ...was } = (await open()).of(first);
    const { measured, ...rest } = calibrations.get(first)!;
    const again = new Map([...calibrations, [first, { ...rest, measured: { ...measured, microUnitsPerSecond: measured.microUnitsPerSecond * 2 } }]]);
    const recalibrated = (await open({ calibrations: again })).of(first);
    expect(recalibrated).toMatchObject({ version: workloadIds.length + 1, calibration: again.get(first) });
    const older = await store.prices.append({ ...was, kernelVersion: was.kernelVersion + 1 });
    expect((await open()).of(first)).toMatchObject({ version: older.version + 1, kernelVersion: was.kernelVersion });
    expect(version).toBe(1);
  });

  it('refuses a rate for what there is not, and has no price for it', async () => {
    const wrong = open({ rates: new Map([['mining', 1n]]) });
    await expect(wrong).rejects.toThrow(ConfigError);
    await expect(wrong).rejects.toThrow(`RATES names the workload "mining"; it must be one of ${first}, `);
    expect(await store.prices.current()).toEqual([]);
    const prices = await open();
    expect(() => prices.of('mining')).toThrow('no price for the unknown workload mining');
  });
});

test('every kernel has a calibration of its own version', () => {
  for (const id of workloadIds) expect([id, calibrations.get(id)?.kernelVersion]).toEqual([id, workload(id)?.spec.version]);
});

describe('a restart with another rate', () => {
  const quoted = { workload: entry.spec.id, params: small, files: {} };
  const more = { params: { samples: 4 } };
  const bookOf = async (query = ''): Promise<PriceView | undefined> => {
    const { prices } = (await (await fetch(`${whole.url}/api/prices${query}`)).json()) as { prices: PriceView[] };
    return prices.find(({ workload: id }) => id === entry.spec.id);
  };
  let visitor: Visitor;
  let old: { quote: Quote; done: JobView; book: PriceView };

  beforeAll(async () => {
    await whole.open();
    visitor = await requester();
    const { body: job } = await visitor.call<JobView>('POST', '/api/jobs', order);
    const contributor = await Contributor.join();
    await contributor.workOff();
    contributor.socket.disconnect();
    const done = (await visitor.call<JobView>('GET', `/api/jobs/${job.id}`)).body;
    expect(done.status).toBe('done');
    old = { quote: (await visitor.call<Quote>('POST', '/api/quotes', quoted)).body, done, book: (await bookOf())! };
    await whole.stop();
    process.env.RATES = `${entry.spec.id}=3000000`;
    await whole.start();
  }, 60_000);
  afterAll(async () => {
    delete process.env.RATES;
    await whole.close();
  });

  it('leaves quotes and jobs of before their price, and asks the new one of what is new', async () => {
    const before = { rateMicroCredits: '1000000', priceVersion: old.book.version };
    expect(old.book).toMatchObject({ rateMicroCredits: '1000000', kernelVersion: entry.spec.version, unit: { seconds: 1 } });
    expect(old.quote).toMatchObject(before);
    const now = (await bookOf())!;
    expect(now).toMatchObject({ rateMicroCredits: '3000000', version: workloadIds.length + 1 });
    const { body: kept } = await visitor.call<JobView>('POST', '/api/jobs', { ...order, quote: old.quote.id });
    expect(kept).toMatchObject({ ...before, heldMicroCredits: old.quote.holdMicroCredits });
    const { body: fresh } = await visitor.call<Quote>('POST', '/api/quotes', quoted);
    const after = { rateMicroCredits: '3000000', priceVersion: now.version };
    expect(fresh).toMatchObject(after);
    expect(BigInt(fresh.workMicroCredits)).toBeGreaterThan(2n * BigInt(old.quote.workMicroCredits));
    expect((await visitor.call<JobView>('POST', '/api/jobs', { ...order, quote: fresh.id })).body).toMatchObject({
      ...after,
      heldMicroCredits: fresh.holdMicroCredits,
    });
    expect((await visitor.call<JobView>('POST', '/api/jobs', order)).body).toMatchObject(after);
    expect((await visitor.call<JobView>('GET', `/api/jobs/${old.done.id}`)).body).toMatchObject(before);
  });

  it('leaves an extension the job’s own price', async () => {
    const { body: quote } = await visitor.call<ExtensionQuote>('POST', `/api/jobs/${old.done.id}/extend/quote`, more);
    // As many samples again; at the new rate they would be thrice as much.
    expect(BigInt(quote.workMicroCredits)).toBeLessThan(2n * BigInt(old.done.paidMicroCredits));
    const { body: extended } = await visitor.call<JobView>('POST', `/api/jobs/${old.done.id}/extend`, more);
    expect(extended).toMatchObject({ status: 'open', extensions: 1, rateMicroCredits: '1000000', priceVersion: old.book.version });
  });

  it('leaves the old entry in the book, and statements name it', async () => {
    expect(await bookOf(`?version=${old.book.version}`)).toEqual(old.book);
    expect(await bookOf('?version=999')).toBeUndefined();
    expect((await fetch(`${whole.url}/api/prices?version=0`)).status).toBe(400);
    const csv = await visitor.text('/api/account/statement.csv');
    const [head = '', ...rows] = csv
      .trimEnd()
      .split('\r\n')
      .map((row) => row.split(','));
    const of = rows.filter((row) => row[head.indexOf('job')] === old.done.id);
    expect(of.length).toBeGreaterThan(0);
    for (const row of of) expect([row[head.indexOf('work_unit_rate')], row[head.indexOf('price_version')]]).toEqual(['1.00', String(old.book.version)]);
    expect(rows.some((row) => row[head.indexOf('price_version')] === String(workloadIds.length + 1))).toBe(true);
  });

  it('asks nothing for a job of a group alone, from no entry', async () => {
    const { body: group } = await visitor.call<{ id: string }>('POST', '/api/groups', { name: 'Studio' });
    const { body: job } = await visitor.call<JobView>('POST', '/api/jobs', { ...order, group: group.id, groupMode: 'only', quote: undefined });
    expect(job).toMatchObject({ rateMicroCredits: '0', priceVersion: null, heldMicroCredits: '0' });
  });
});
