import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Process, startServer } from '../bench/process.ts';
import { Tessera } from './index.ts';

/** Every call of the client is an operation of the description that the coordinator gives of itself, and no operation is left out. */

interface Description {
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly operationId: string }>>>>;
}

/** For pages, other programs, or the other half of what the client does: it keeps a session or a key, and makes neither of other kinds. */
const elsewhere: ReadonlySet<string> = new Set([
  'getHealth',
  'getReadiness',
  'makeApiKey',
  'listApiKeys',
  'revokeApiKey',
  'listHistory',
  'getAgreement',
  'getBlob',
  'getReceiptKey',
  'reportJob',
  'deleteAccount',
]);

let server: Process;
let description: Description;
beforeAll(async () => {
  server = await startServer();
  description = (await (await fetch(`${server.url}/api/openapi.json`)).json()) as Description;
}, 60_000);
afterAll(() => server.close());

/** The operation that a request is; undefined for none. */
function operationOf(method: string, path: string): string | undefined {
  const found = Object.entries(description.paths).find(([template, operations]) => {
    const pattern = new RegExp(`^${template.replace(/\{[^}]+\}/g, '[^/]+')}$`);
    return pattern.test(path) && method.toLowerCase() in operations;
  });
  return found?.[1][method.toLowerCase()]?.operationId;
}

/** Calls with any arguments; answers are whatever lets the call go on. */
async function callsOf(run: (tessera: Tessera) => Promise<unknown>): Promise<string[]> {
  const calls: string[] = [];
  const tessera = new Tessera({
    server: server.url,
    triesMax: 1,
    fetch: async (url, init) => {
      init?.signal?.throwIfAborted();
      const { pathname } = new URL(String(url));
      const method = init?.method ?? 'GET';
      calls.push(`${method} ${pathname}`);
      const headers = { location: '/api/uploads/u_0123456789abcdef', 'upload-offset': '3', ...(method === 'PATCH' && { 'upload-hash': 'a'.repeat(64) }) };
      return new Response(method === 'HEAD' ? null : '{}', { headers });
    },
  });
  await run(tessera).catch(() => undefined);
  return calls;
}

const job = 'j_0123456789abcdef' as never;
const result = 'r_0123456789abcdef' as never;
const stopped = new AbortController();

const calls: Readonly<Record<string, (tessera: Tessera) => Promise<unknown>>> = {
  account: (tessera) => tessera.account(),
  statement: (tessera) => tessera.statement({ limit: 5 }),
  workloads: (tessera) => tessera.workloads(),
  prices: (tessera) => tessera.prices({ version: 1 }),
  upload: (tessera) => tessera.upload(new Blob(['abc'])),
  'upload, given up': (tessera) => tessera.upload(new Blob(['abc']), { begun: () => stopped.abort(new Error('enough')), signal: stopped.signal }),
  quote: (tessera) => tessera.quote({} as never),
  submit: (tessera) => tessera.submit({} as never),
  jobs: (tessera) => tessera.jobs(),
  job: (tessera) => tessera.job(job),
  cancel: (tessera) => tessera.cancel(job),
  pause: (tessera) => tessera.pause(job),
  resume: (tessera) => tessera.resume(job),
  setVisibility: (tessera) => tessera.setVisibility(job, 'private'),
  quoteExtension: (tessera) => tessera.quoteExtension(job, { samples: 2 }),
  extend: (tessera) => tessera.extend(job, { params: { samples: 2 } }),
  delete: (tessera) => tessera.delete(job),
  results: (tessera) => tessera.results(job),
  resultBytes: (tessera) => tessera.resultBytes(job, result),
  files: (tessera) => tessera.files(job),
  download: (tessera) => tessera.download(job, 'png'),
  receipt: (tessera) => tessera.receipt(job),
  events: (tessera) => tessera.events(job, { signal: AbortSignal.timeout(50) }).next(),
  makeWebhook: (tessera) => tessera.makeWebhook({} as never),
  webhooks: (tessera) => tessera.webhooks(),
  deleteWebhook: (tessera) => tessera.deleteWebhook('wh_0123456789abcdef'),
  testWebhook: (tessera) => tessera.testWebhook('wh_0123456789abcdef'),
  deliveries: (tessera) => tessera.deliveries('wh_0123456789abcdef'),
  network: (tessera) => tessera.network(),
};

/** Methods that make no request, or none of their own. */
const others: ReadonlySet<string> = new Set(['constructor', 'session', 'cookie', 'wait']);

test('every method is looked at', () => {
  const tessera = new Tessera({ server: server.url });
  const names = [...Object.getOwnPropertyNames(tessera), ...Object.getOwnPropertyNames(Tessera.prototype)];
  expect(names.filter((name) => !others.has(name) && !(name in calls))).toEqual([]);
});

test('every call is documented, and every operation is called', async () => {
  const covered = new Set<string>();
  for (const [name, run] of Object.entries(calls)) {
    const made = await callsOf(run);
    expect(made.length, name).toBeGreaterThan(0);
    for (const call of made) {
      const [method = '', path = ''] = call.split(' ');
      // The upload protocol (tus 1.0.0) has a description of its own.
      if (path.startsWith('/api/uploads/')) continue;
      const operation = operationOf(method, path);
      expect(operation, `${name}: ${call}`).toBeDefined();
      covered.add(operation!);
    }
  }
  const all = Object.values(description.paths).flatMap((operations) => Object.values(operations).map(({ operationId }) => operationId));
  expect(all.filter((operation) => !covered.has(operation) && !elsewhere.has(operation))).toEqual([]);
  expect([...elsewhere].filter((operation) => !all.includes(operation))).toEqual([]);
});
