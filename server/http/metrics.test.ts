import { expect, test } from 'vitest';
import type { ProvedUnit } from '../books.ts';
import { infoLine, type MetricsDeps, metricsRoutes } from './metrics.ts';
import { type TestApp, withApp } from './testing.ts';

const unit = (own: Partial<ProvedUnit>): ProvedUnit => ({
  ...{ unit: 'test', accounts: 3, transfers: 5, pending: 0n, sum: 0n, imbalance: 0n, wrongAccounts: 0 },
  ...own,
});
const state = { jobs: new Map([['j', {}]]), connected: [{}, {}] } as unknown as MetricsDeps['coordinator']['state'];

const withMetrics = (proved: MetricsDeps['auditingBooks']['proved'], run: (test: TestApp) => Promise<void>, trustProxy = false): Promise<void> =>
  withApp(
    async (test) => {
      await test.app.register(metricsRoutes({ auditingBooks: { proved }, coordinator: { state }, dataDir: test.config.dataDir, clock: () => 9500 }));
      await run(test);
    },
    { config: { trustProxy } },
  );

const ask = ({ app }: TestApp, remoteAddress: string, headers: Readonly<Record<string, string>> = {}) =>
  app.inject({ url: '/metrics', remoteAddress, headers: { host: 'localhost:8080', ...headers } });

/** Lines with a value, of the text format 0.0.4; throws for what is none. */
function samplesOf(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  const declared = new Set<string>();
  expect(text.endsWith('\n')).toBe(true);
  for (const line of text.split('\n').slice(0, -1)) {
    const type = /^# TYPE ([a-z_]+) (?:gauge|counter)$/.exec(line);
    if (type) declared.add(type[1]!);
    if (line.startsWith('# ')) continue;
    const [, name, labels = '', value] = /^([a-z_]+)(\{[a-z]+="(?:[^"\\\n]|\\[\\"n])*"\})? ([0-9.]+)$/.exec(line) ?? [];
    expect(declared, line).toContain(name);
    samples.set(`${name}${labels}`, Number(value));
  }
  return samples;
}

test('tells the figures, and what is wrong, in the text format', () =>
  withMetrics({ atMs: 8000, wrong: [], units: [unit({}), unit({ unit: 'credit', imbalance: 2n ** 60n, wrongAccounts: 2, transfers: 7 })] }, async (test) => {
    const { statusCode, headers, payload } = await ask(test, '127.0.0.1');
    expect([statusCode, headers['content-type']]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8']);
    const { process_resident_memory_bytes: memory, ...samples } = Object.fromEntries(samplesOf(payload));
    expect(memory).toBeGreaterThan(2 ** 20);
    expect(samples).toEqual({
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
