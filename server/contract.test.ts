import { BaseResolver, createConfig, lintDocument, makeDocumentFromString } from '@redocly/openapi-core';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { limits } from '../shared/limits.ts';
import type { AcceptedPage, JobView, MadeApiKey, Scope } from '../shared/schemas.ts';
import { badBodies, type Call, Contract, type Document, type Operation } from './contract.testing.ts';
import { Contributor, entry, order, small, whole } from './whole.testing.ts';

/** Every operation of `GET /api/openapi.json`, with good and bad input: the answers must be the ones that it describes. */

const quoted = { workload: entry.spec.id, params: small, files: {} };
const nobody = {
  upload: `u_${'0'.repeat(16)}`,
  webhook: `wh_${'0'.repeat(16)}`,
  job: `j_${'0'.repeat(16)}`,
  result: `r_${'0'.repeat(16)}`,
  key: `tk_${'0'.repeat(16)}`,
  hash: '0'.repeat(64),
  output: 'nothing',
};

type Headers = Readonly<Record<string, string>>;
let contract: Contract;
let text: string;
/** A finished job and things of it; an open one; the account's session, its key, and one with another scope. */
let world: {
  done: JobView;
  open: JobView;
  result: string;
  hash: string;
  session: Headers;
  key: Headers;
  narrow: (scope: Scope) => Headers;
  stranger: Headers;
  /** Whose account is deleted. */
  leaving: Headers;
  kept: JobView;
  ended: JobView;
  webhook: string;
};

async function session(): Promise<Headers> {
  const response = await fetch(`${whole.url}/api/session`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' });
  return { cookie: response.headers.getSetCookie()[0]?.split(';')[0] ?? '' };
}

/** What a request says besides who sends it. */
const anonymous = ({ authorization: _, cookie: __, ...rest }: Headers = {}): Headers => rest;

const bearer = ({ key }: MadeApiKey): Headers => ({ authorization: `Bearer ${key}` });

beforeAll(async () => {
  await whole.open();
  text = await (await fetch(`${whole.url}/api/openapi.json`)).text();
  contract = new Contract(JSON.parse(text) as Document, () => whole.url);
  const mine = await session();
  const make = async (...scopes: Scope[]) => bearer((await contract.send<MadeApiKey>('makeApiKey', { headers: mine, body: { name: 'Test', scopes } })).body);
  const key = await make('jobs:read', 'jobs:write', 'account:read', 'webhooks');
  const [reads, account] = [await make('jobs:read'), await make('account:read')];
  const submit = async () => (await contract.send<JobView>('submitJob', { headers: key, body: order })).body;
  const first = await submit();
  const contributor = await Contributor.join();
  await contributor.workOff();
  contributor.socket.close();
  const done = (await contract.send<JobView>('getJob', { params: { job: first.id } })).body;
  const { results } = (await contract.send<AcceptedPage>('listResults', { params: { job: done.id } })).body;
  const { id = '', hash = '' } = results[0] ?? {};
  const narrow = (scope: Scope) => (scope === 'jobs:read' ? account : reads);
  const [open, kept, ended] = [await submit(), await submit(), await submit()];
  await contract.send('cancelJob', { headers: key, params: { job: ended.id } });
  const hook = { url: 'http://localhost:19009/hook', events: ['job.done'] };
  const { body: webhook } = await contract.send<{ id: string }>('createWebhook', { headers: key, body: hook });
  world = { done, open, kept, ended, webhook: webhook.id, result: id, hash, session: mine, key, narrow, stranger: await session(), leaving: await session() };
}, 60_000);

afterAll(() => whole.close());

/** Good calls of every operation. One that is documented and stands not here fails the tests. */
const calls: Readonly<Record<string, () => (Call & { status?: number })[]>> = {
  getHealth: () => [{}],
  getReadiness: () => [{}],
  getAccount: () => [{ headers: world.key }, { headers: world.session }],
  deleteAccount: () => [{ headers: world.leaving, body: { forfeit: true } }],
  listStatement: () => [{ headers: world.key }, { headers: world.key, query: { limit: 1 } }],
  listHistory: () => [{ headers: world.key, query: { limit: 5 } }],
  makeApiKey: () => [{ headers: world.session, body: { name: 'Farm', scopes: ['webhooks'] }, status: 201 }],
  listApiKeys: () => [{ headers: world.session, query: { limit: 2 } }],
  revokeApiKey: () => [{ headers: world.session, params: { key: newest } }],
  getAgreement: () => [{}],
  quoteJob: () => [{ headers: world.key, body: quoted }],
  submitJob: () => [{ headers: world.key, body: { ...order, seed: 7 }, status: 201 }],
  listJobs: () => [{ query: { limit: 2 } }, { headers: world.key, query: { scope: 'mine' } }],
  getJob: () => [{ params: { job: world.done.id } }, { params: { job: world.open.id }, headers: world.key }],
  cancelJob: () => [{ headers: world.key, params: { job: world.open.id } }],
  listResults: () => [{ params: { job: world.done.id }, query: { limit: 1 } }],
  getResult: () => [{ params: { job: world.done.id, result: world.result } }],
  getFile: () => [{ params: { job: world.done.id, output: 'png' } }],
  getBlob: () => [{ params: { hash: inputHash } }, { params: { hash: inputHash }, headers: { range: 'bytes=1-' }, status: 206 }],
  getReceiptKey: () => [{}],
  getReceipt: () => [{ params: { job: world.done.id } }],
  upload: () => [{ headers: { ...world.key, 'content-type': 'application/octet-stream' }, body: 'some bytes' }],
  listWorkloads: () => [{}],
  listPrices: () => [{}, { query: { version: 1 } }],
  getNetwork: () => [{}, { query: { since: 1 } }],
  pauseJob: () => [{ headers: world.key, params: { job: world.kept.id } }],
  resumeJob: () => [{ headers: world.key, params: { job: world.kept.id } }],
  setVisibility: () => [{ headers: world.key, params: { job: world.kept.id }, body: { visibility: 'unlisted' } }],
  listFiles: () => [{ params: { job: world.done.id } }],
  jobEvents: () => [
    { params: { job: world.done.id } },
    { params: { job: world.done.id }, headers: { 'last-event-id': `${world.done.endedMs}.end` }, status: 204 },
  ],
  quoteExtension: () => [{ headers: world.key, params: { job: world.done.id }, body: { params: { samples: 64 } } }],
  extendJob: () => [{ headers: world.key, params: { job: world.done.id }, body: { params: { samples: 64 } } }],
  deleteJob: () => [{ headers: world.key, params: { job: world.ended.id } }],
  reportJob: () => [{ headers: world.stranger, params: { job: world.kept.id }, body: { reason: 'other', text: 'Odd.' }, status: 201 }],
  createWebhook: () => [{ headers: world.key, body: { url: 'https://example.com/hook', events: ['job.done'] }, status: 201 }],
  listWebhooks: () => [{ headers: world.key }],
  listDeliveries: () => [{ headers: world.key, params: { webhook: world.webhook }, query: { limit: 2 } }],
  testWebhook: () => [{ headers: world.key, params: { webhook: world.webhook } }],
  deleteWebhook: () => [{ headers: world.key, params: { webhook: world.webhook } }],
};
let newest = '';
let inputHash = '';

test('an operation that is documented has its calls here, and nothing else has', () => {
  expect(Object.keys(calls).sort()).toEqual([...contract.operations.keys()].sort());
});

describe('good input', () => {
  test('is answered as described, by every operation, with every good status that it has', async () => {
    const made = await contract.send<MadeApiKey>('makeApiKey', { headers: world.session, body: { name: 'To revoke', scopes: ['webhooks'] } });
    newest = made.body.id;
    const upload = { ...world.key, 'content-type': 'application/octet-stream' };
    inputHash = ((await (await fetch(`${whole.url}/api/uploads`, { method: 'POST', headers: upload, body: 'some bytes' })).json()) as { hash: string }).hash;
    for (const [id, good] of Object.entries(calls)) {
      for (const { status = 200, ...call } of good()) expect((await contract.send(id, call)).status, id).toBe(status);
    }
    const promised = [...contract.operations.values()].flatMap(({ operationId, responses }) =>
      Object.keys(responses).flatMap((status) => (status.startsWith('2') ? [`${operationId} ${status}`] : [])),
    );
    expect(promised.filter((each) => !contract.seen.has(each))).toEqual([]);
  });

  test('of the examples is good', () => {
    for (const operation of contract.operations.values()) {
      const json = operation.requestBody?.content['application/json'];
      if (json) expect([operation.operationId, json.example !== undefined && contract.accepts(operation, json.example)]).toEqual([operation.operationId, true]);
    }
  });
});

/** What an operation asks of the caller. */
const needs = ({ security }: Operation) => ({
  account: security.every((each) => Object.keys(each).length > 0),
  scope: security.flatMap(({ apiKey = [] }) => apiKey)[0] as Scope | undefined,
  keys: security.some(({ apiKey }) => apiKey !== undefined),
});
const each = (run: (operation: Operation, call: Call) => Promise<void>) => async () => {
  for (const operation of contract.operations.values()) await run(operation, calls[operation.operationId]?.()[0] ?? {});
};

describe('bad input', () => {
  test(
    'a caller without a credential, with a wrong key, or with one of another scope',
    each(async (operation, { headers, ...rest }) => {
      const call = { ...rest, headers: anonymous(headers) };
      const { account, scope, keys } = needs(operation);
      const id = operation.operationId;
      if (account) expect((await contract.send(id, call)).status, id).toBe(401);
      const wrong = { authorization: `Bearer tk_${'A'.repeat(16)}_${'A'.repeat(43)}` };
      expect((await contract.send(id, { ...call, headers: { ...call.headers, ...wrong } })).status, id).toBe(401);
      if (scope)
        expect((await contract.send(id, { ...call, headers: { ...call.headers, ...world.narrow(scope) } })).body, id).toMatchObject({
          status: 403,
          limit: scope,
        });
      if (!keys) expect((await contract.send(id, { ...call, headers: { ...call.headers, ...world.key } })).status, id).toBe(403);
    }),
  );

  test(
    'a path with ids that are malformed, or of nothing',
    each(async (operation, call) => {
      const inPath = operation.parameters?.filter((parameter) => parameter.in === 'path') ?? [];
      for (const { name } of inPath) {
        const malformed = await contract.send(operation.operationId, { ...call, params: { ...call.params, [name]: 'NO!' } });
        expect([malformed.status, malformed.body.field]).toEqual([400, name]);
        const unknown = await contract.send(operation.operationId, { ...call, params: { ...call.params, [name]: nobody[name as keyof typeof nobody] } });
        expect(unknown.status, `${operation.operationId} ${name}`).toBe(404);
      }
    }),
  );

  test(
    'a query with a wrong or an unknown parameter',
    each(async (operation, call) => {
      const inQuery = operation.parameters?.filter((parameter) => parameter.in === 'query') ?? [];
      for (const { name } of inQuery) {
        const refused = await contract.send(operation.operationId, { ...call, query: { [name]: '!' } });
        expect([refused.status, refused.body.field], operation.operationId).toEqual([400, name]);
      }
      if (inQuery.length === 0) return;
      const surprised = await contract.send(operation.operationId, { ...call, query: { surprise: 1 } });
      expect([surprised.status, surprised.body.field]).toEqual([400, 'surprise']);
    }),
  );

  test(
    'a body that lacks a field, has a wrong or an unknown one, is no JSON, or too large',
    each(async (operation, call) => {
      if (!operation.requestBody) return;
      const id = operation.operationId;
      for (const [what, body] of badBodies(contract, operation, call.body as Record<string, unknown>)) {
        const refused = await contract.send(id, { ...call, body });
        expect([400, 422], `${id} ${what}`).toContain(refused.status);
        expect(refused.body.field, `${id} ${what}`).toBeTruthy();
      }
      expect((await contract.send(id, { ...call, body: '{' })).status).toBe(400);
      expect((await contract.send(id, { ...call, body: JSON.stringify(' '.repeat(limits.jsonBodyBytesMax)) })).status).toBe(413);
      expect((await contract.send(id, { ...call, headers: { ...call.headers, 'content-type': 'text/plain' } })).status).toBe(415);
    }),
  );

  test(
    'a page of another origin',
    each(async (operation, call) => {
      if (operation.method === 'get') return;
      const foreign = { ...anonymous(call.headers), ...world.session, origin: 'https://evil.example' };
      expect((await contract.send(operation.operationId, { ...call, headers: foreign })).status).toBe(403);
    }),
  );

  test('what belongs to somebody else', async () => {
    const [params, headers] = [{ job: world.done.id }, world.stranger];
    expect((await contract.send('cancelJob', { params, headers })).status).toBe(403);
    expect((await contract.send('revokeApiKey', { params: { key: newest }, headers })).status).toBe(404);
  });

  test('what the present state does not allow', async () => {
    const headers = world.key;
    expect((await contract.send('cancelJob', { params: { job: world.ended.id }, headers })).status).toBe(409);
    const { id } = (await contract.send<JobView>('submitJob', { headers, body: order })).body;
    expect((await contract.send('getReceipt', { params: { job: id } })).status).toBe(409);
    expect((await contract.send('getFile', { params: { job: id, output: 'png' } })).status).toBe(409);
  });

  test('an idempotency key that came with another request', async () => {
    const headers = { ...world.key, 'idempotency-key': 'contract' };
    const first = await contract.send<JobView>('submitJob', { headers, body: { ...order, title: 'Once' } });
    expect((await contract.send<JobView>('submitJob', { headers, body: { ...order, title: 'Once' } })).body).toEqual(first.body);
    expect((await contract.send('submitJob', { headers, body: { ...order, title: 'Twice' } })).body).toMatchObject({ status: 422, field: 'Idempotency-Key' });
  });

  test('a job that costs more than the budget of its key', async () => {
    const { body } = await contract.send<MadeApiKey>('makeApiKey', {
      headers: world.session,
      body: { name: 'Poor', scopes: ['jobs:write'], budgetMicroCredits: '1' },
    });
    const refused = await contract.send('submitJob', { headers: bearer(body), body: order });
    expect(refused.body).toMatchObject({ status: 402, code: 'insufficient_credits', field: 'budget', limit: '0.000001 of 0.000001 left' });
  });
});

describe('the document', () => {
  test('has no findings of the recommended rules', async () => {
    const config = await createConfig({ extends: ['recommended'] });
    const document = makeDocumentFromString(text, '/openapi.json');
    const found = await lintDocument({ document, externalRefResolver: new BaseResolver(), config });
    expect(found.map(({ ruleId, message, location }) => `${ruleId}: ${message} at ${location[0]?.pointer}`)).toEqual([]);
  });

  test('names operations, parameters and fields, and its schemas are JSON Schema 2020-12', () => {
    const { document, operations } = contract;
    expect(document.openapi).toBe('3.1.0');
    for (const { operationId, summary, tags, parameters = [] } of operations.values()) {
      expect([operationId, summary && tags?.length]).toEqual([operationId, 1]);
      for (const { name, description } of parameters) expect([operationId, name, Boolean(description)]).toEqual([operationId, name, true]);
    }
    const ajv = new Ajv2020({ strict: false });
    for (const [name, schema] of Object.entries(document.components.schemas)) {
      expect([name, ajv.validateSchema(schema)]).toEqual([name, true]);
      const silent = Object.entries(schema.properties ?? {}).filter(([, field]) => !('description' in field));
      expect(silent.map(([field]) => `${name}.${field}`)).toEqual([]);
    }
  });
});
