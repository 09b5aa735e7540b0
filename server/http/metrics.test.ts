import { expect, test } from 'vitest';
import { limits } from '../../shared/limits.ts';
import type { ProvedUnit } from '../books.ts';
import type { Observed } from '../metrics.ts';
import { infoLine, type MetricsDeps, metricsRoutes } from './metrics.ts';
import { type TestApp, withApp } from './testing.ts';

const unit = (own: Partial<ProvedUnit>): ProvedUnit => ({
  ...{ unit: 'test', accounts: 3, transfers: 5, pending: 0n, sum: 0n, imbalance: 0n, wrongAccounts: 0 },
  ...own,
});
const TOKEN = 't'.repeat(32);
/** What `main.ts` looks at. */
const observed = {
  coordinator: { waiting: { commands: 3, bytes: 0 }, isRecovering: false, state: { jobs: new Map([['j', {}]]), connected: [{}, {}] } },
  pools: { checks: { load: { waiting: 4, underWay: 1 } }, preparing: { load: { waiting: 0, underWay: 0 } }, assembling: { load: { waiting: 0, underWay: 0 } } },
  load: { delayMs: { mean: 5, max: 10 }, isDraining: false, underWay: 2 },
  used: { socketsMax: () => 7 },
} as unknown as Observed;

const withMetrics = (proved: MetricsDeps['auditingBooks']['proved'], run: (test: TestApp) => Promise<void>, trustProxy = false): Promise<void> =>
  withApp(
    async (test) => {
      test.metrics.observe(observed);
      const { metrics, config } = test;
      await test.app.register(metricsRoutes({ auditingBooks: { proved }, metrics, config, dataDir: config.dataDir, clock: () => 9500 }));
      await run(test);
    },
    { config: { trustProxy, metricsToken: TOKEN } },
  );

const ask = ({ app }: TestApp, remoteAddress: string, headers: Readonly<Record<string, string>> = {}) =>
  app.inject({ url: '/metrics', remoteAddress, headers: { host: 'localhost:8080', ...headers } });

/** Lines with a value, of the text format 0.0.4; throws for what is none. */
function samplesOf(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  const declared = new Set<string>();
  expect(text.endsWith('\n')).toBe(true);
  for (const line of text.split('\n').slice(0, -1)) {
    const type = /^# TYPE ([a-z_]+) (?:gauge|counter|histogram)$/.exec(line);
    if (type) declared.add(type[1]!);
    if (line === '' || line.startsWith('# ')) continue;
    const [, name, labels = '', value] = /^([a-z_]+)(\{[^\n]*\})? ([0-9.e+-]+)$/.exec(line) ?? [];
    expect(
      [name, name?.replace(/_(bucket|sum|count)$/, '')].some((each) => declared.has(each ?? '')),
      line,
    ).toBe(true);
    samples.set(`${name}${labels}`, Number(value));
  }
  return samples;
}

test('tells the figures, and what is wrong, in the text format', () =>
  withMetrics({ atMs: 8000, wrong: [], units: [unit({}), unit({ unit: 'credit', imbalance: 2n ** 60n, wrongAccounts: 2, transfers: 7 })] }, async (test) => {
    const { statusCode, headers, payload } = await ask(test, '127.0.0.1');
    expect([statusCode, headers['content-type']]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8']);
    const samples = Object.fromEntries(samplesOf(payload));
    expect(samples.process_resident_memory_bytes).toBeGreaterThan(2 ** 20);
    expect(samples).toMatchObject({
      [infoLine(test.config.dataDir).replace(/ 1$/, '')]: 1,
      'tessera_ledger_imbalance{unit="test"}': 0,
      'tessera_ledger_imbalance{unit="credit"}': 2 ** 60,
      'tessera_ledger_wrong_accounts{unit="test"}': 0,
      'tessera_ledger_wrong_accounts{unit="credit"}': 2,
      'tessera_ledger_transfers_total{unit="test"}': 5,
      'tessera_ledger_transfers_total{unit="credit"}': 7,
      tessera_ledger_audited_seconds: 1.5,
      tessera_jobs_open: 1,
      tessera_contributors_connected: 2,
      tessera_commands_waiting: 3,
      'tessera_queue_waiting{queue="checks"}': 4,
      'tessera_event_loop_delay_seconds{of="max"}': 0.01,
      'tessera_limit_used{limit="socketsMax"}': 7,
      'tessera_limit{limit="openJobsPerOwnerMax"}': limits.openJobsPerOwnerMax,
    });
    expect(payload).toContain(`tessera_ledger_imbalance{unit="credit"} ${2n ** 60n}\n`);
  }));

test('claims nothing about books that it has not read yet', () =>
  withMetrics(undefined, async (test) => {
    const samples = samplesOf((await ask(test, '::1')).payload);
    expect([...samples.keys()].filter((name) => name.startsWith('tessera_ledger'))).toEqual([]);
    expect(samples.get('tessera_jobs_open')).toBe(1);
  }));

test.each([false, true])('is there for this machine alone (behind a proxy: %s)', (trustProxy) =>
  withMetrics(
    undefined,
    async (test) => {
      for (const address of ['127.0.0.1', '127.8.9.10', '::1', '::ffff:127.0.0.1']) expect((await ask(test, address)).statusCode, address).toBe(200);
      for (const host of ['127.0.0.1:8080', '[::1]:8080', 'localhost']) expect((await ask(test, '::1', { host })).statusCode, host).toBe(200);
      const unknown = await test.app.inject({ url: '/metrics2', remoteAddress: '10.0.0.7', headers: { host: 'localhost:8080' } });
      for (const address of ['10.0.0.7', '192.168.1.2', '1127.0.0.1', '::ffff:10.0.0.7', 'fe80::1', '2001:db8::1']) {
        const { statusCode, payload } = await ask(test, address);
        expect([statusCode, payload.replaceAll('/metrics', '')], address).toEqual([unknown.statusCode, unknown.payload.replaceAll('/metrics2', '')]);
        expect(statusCode).toBe(404);
      }
      const named = { 'x-forwarded-for': '127.0.0.1', 'x-real-ip': '1.2.3.4', forwarded: 'for=127.0.0.1', via: '1.1 proxy', 'x-forwarded-proto': 'https' };
      for (const [name, value] of Object.entries(named)) expect((await ask(test, '127.0.0.1', { [name]: value })).statusCode, name).toBe(404);
      // A page under a name that was pointed at this machine.
      expect((await ask(test, '127.0.0.1', { host: 'evil.example' })).statusCode).toBe(404);
    },
    trustProxy,
  ),
);

test('is there for whoever shows the token, from wherever', () =>
  withMetrics(undefined, async (test) => {
    const asked = async (token: string) => (await ask(test, '10.0.0.7', { host: 'tessera.example', authorization: `Bearer ${token}` })).statusCode;
    expect([await asked(TOKEN), await asked(`${TOKEN}t`), await asked('t')]).toEqual([200, 404, 404]);
  }));

test('requests are told by their route, never by what somebody wrote into an address', () =>
  withMetrics(undefined, async (test) => {
    await test.app.inject({ url: '/api/sites/s_0000000000000000' });
    await test.app.inject({ url: '/surprise/17' });
    const { payload } = await ask(test, '::1');
    const samples = samplesOf(payload);
    expect(samples.get('tessera_http_request_seconds_count{method="GET",route="/api/sites/:site",status="4xx"}')).toBe(1);
    expect(samples.get('tessera_http_request_seconds_count{method="GET",route="none",status="4xx"}')).toBe(1);
    expect(payload).not.toContain('surprise');
  }));
