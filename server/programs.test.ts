import { join } from 'node:path';
import Database from 'better-sqlite3';
import { OpenAPIClientAxios } from 'openapi-client-axios';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { workload, workloadIds } from '../shaders/registry.ts';
import { limits } from '../shared/limits.ts';
import type { AccountView, JobPage, JobView, MadeApiKey, Quote, WorkloadView } from '../shared/schemas.ts';
import { Contributor, hashOf, order, requester, type Visitor, whole } from './whole.testing.ts';

/** Programs with an API key, against the whole coordinator. */

let visitor: Visitor;
beforeAll(() => whole.open(), 30_000);
afterAll(() => whole.close());

/** An account's key, in the header that carries it. */
async function keyOf(own: object = {}): Promise<Record<string, string>> {
  visitor = await requester();
  const scopes = ['jobs:read', 'jobs:write', 'account:read'];
  const { body } = await visitor.call<MadeApiKey>('POST', '/api/keys', { name: 'Program', scopes, ...own });
  return { authorization: `Bearer ${body.key}` };
}

interface Reply<Body> {
  readonly status: number;
  readonly body: Body;
  readonly headers: Headers;
}

async function ask<Body>(method: string, path: string, headers: Record<string, string>, body?: object): Promise<Reply<Body>> {
  const sent = body && { body: JSON.stringify(body), headers: { ...headers, 'content-type': 'application/json' } };
  const response = await fetch(whole.url + path, { method, headers, ...sent });
  return { status: response.status, body: (await response.json()) as Body, headers: response.headers };
}

test('every workload is listed, with its form as it is', async () => {
  const { body } = await ask<{ workloads: WorkloadView[] }>('GET', '/api/workloads', {});
  expect(body.workloads.map(({ id }) => id)).toEqual(workloadIds);
  for (const { id, fields, defaults } of body.workloads) {
    const entry = workload(id)!;
    expect({ fields, defaults }).toEqual({ fields: (await entry.form()).fields, defaults: entry.spec.defaults });
  }
});

const submit = (headers: Record<string, string>, key?: string) =>
  ask<JobView>('POST', '/api/jobs', key ? { ...headers, 'idempotency-key': key } : headers, order);

async function allJobs(headers: Record<string, string>): Promise<JobView[]> {
  const found: JobView[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page: Reply<JobPage> = await ask('GET', `/api/jobs?scope=mine&limit=7${cursor ? `&cursor=${cursor}` : ''}`, headers);
    expect(page.status).toBe(200);
    found.push(...page.body.jobs);
    cursor = page.body.next;
  }
  return found;
}

const grantOf = async (headers: Record<string, string>): Promise<bigint> =>
  BigInt((await ask<AccountView>('GET', '/api/account', headers)).body.balances[0]!.grantMicroCredits);

test('a generic client that knows nothing but the document takes a job from quote to picture', async () => {
  const { authorization = '' } = await keyOf();
  const definition = `${whole.url}/api/openapi.json`;
  const client = await new OpenAPIClientAxios({ definition, withServer: { url: whole.url }, axiosConfigDefaults: { headers: { authorization } } }).init();
  type Call = (parameters: object | null, body?: object, config?: object) => Promise<{ status: number; data: unknown; headers: Record<string, string> }>;
  const call = client as unknown as Record<string, Call>;
  const { title: _, visibility: __, ...quoted } = order;
  const quote = (await call.quoteJob!(null, quoted)).data as Quote;
  const submitted = await call.submitJob!(null, order, { headers: { 'Idempotency-Key': 'generic' } });
  const job = submitted.data as JobView;
  expect([submitted.status, job.status, job.heldMicroCredits]).toEqual([201, 'open', quote.holdMicroCredits]);
  const contributor = await Contributor.join();
  const [lease] = await contributor.lease();
  await contributor.deliver(lease!, await contributor.compute(lease!));
  await contributor.untilVerdicts(1);
  const under = (await call.getJob!({ job: job.id })).data as JobView;
  expect(under.parts.accepted).toBeGreaterThan(0);
  expect(under.status).toBe('open');
  await contributor.workOff();
  contributor.socket.close();
  const done = (await call.getJob!({ job: job.id })).data as JobView;
  expect([done.status, done.parts.accepted, done.paidMicroCredits]).toEqual(['done', done.parts.total, quote.workMicroCredits]);
  const results = (await call.listResults!({ job: job.id, limit: 1 })).data as { results: { id: string; hash: string }[]; next: string | null };
  const bytes = (await call.getResult!({ job: job.id, result: results.results[0]!.id }, undefined, { responseType: 'arraybuffer' })).data as ArrayBuffer;
  expect(hashOf(new Uint8Array(bytes))).toBe(results.results[0]!.hash);
  const file = await call.getFile!({ job: job.id, output: 'png' }, undefined, { responseType: 'arraybuffer' });
  expect(file.headers['content-type']).toBe('image/png');
  expect(
    Buffer.from(file.data as ArrayBuffer)
      .subarray(1, 4)
      .toString(),
  ).toBe('PNG');
  await expect(call.getJob!({ job: 'j_nothing000000000' })).rejects.toMatchObject({ response: { status: 404, data: { code: 'not_found' } } });
});

test('a job is submitted once, however often the request is sent: at once, after a restart, and when its answer was never kept', async () => {
  const headers = await keyOf();
  const before = await grantOf(headers);
  const both = await Promise.all([submit(headers, 'one'), submit(headers, 'one')]);
  const first = both.find(({ status }) => status === 201)!;
  for (const { status, body } of both) expect(status === 409 || body.id === first.body.id).toBe(true);
  await whole.stop();
  await whole.start();
  expect((await submit(headers, 'one')).body).toEqual(first.body);

  // What a process leaves behind that ends between the commit of the job and the keeping of its answer.
  await whole.stop();
  const db = new Database(join(whole.folder, 'tessera.sqlite'));
  expect(db.prepare("update idempotent_requests set answer = null where route = 'POST /api/jobs' and made = ?").run(first.body.id).changes).toBe(1);
  db.close();
  await whole.start();
  const again = await submit(headers, 'one');
  expect([again.status, again.body.id, again.headers.get('location')]).toEqual([201, first.body.id, `/api/jobs/${first.body.id}`]);
  expect((await submit(headers, 'one')).headers.get('idempotency-replayed')).toBe('true');
  expect((await allJobs(headers)).map(({ id }) => id)).toEqual([first.body.id]);
  expect(before - (await grantOf(headers))).toBe(BigInt(first.body.heldMicroCredits));
});

test('two orders at once cannot both have the rest of a budget', async () => {
  const price = (await submit(await keyOf())).body.heldMicroCredits;
  const headers = await keyOf({ budgetMicroCredits: String((BigInt(price) * 3n) / 2n) });
  const both = await Promise.all([submit(headers), submit(headers)]);
  expect(both.map(({ status }) => status).sort()).toEqual([201, 402]);
  const refused = both.find(({ status }) => status === 402)!.body as unknown as Record<string, string>;
  expect(refused).toMatchObject({ code: 'insufficient_credits', field: 'budget' });
  const made = both.find(({ status }) => status === 201)!;
  await ask('POST', `/api/jobs/${made.body.id}/cancel`, headers, {});
  expect((await submit(headers)).status).toBe(201);
});

test('ten thousand orders in a minute: what is too much is told to wait, what was taken is there, also after a restart', async () => {
  const headers = await keyOf();
  const before = await grantOf(headers);
  const beganMs = Date.now();
  const taken = new Set<string>();
  const others = new Map<number, number>();
  let left = 10_000;
  const send = async (): Promise<void> => {
    while (left-- > 0) {
      const { status, body, headers: said } = await submit(headers);
      if (status === 201) taken.add(body.id);
      else {
        others.set(status, (others.get(status) ?? 0) + 1);
        expect(Number(said.get('retry-after'))).toBeGreaterThan(0);
      }
    }
  };
  await Promise.all(Array.from({ length: 64 }, send));
  expect(Date.now() - beganMs).toBeLessThan(60_000);
  expect([...others.keys()]).toEqual([429]);
  expect(taken.size + (others.get(429) ?? 0)).toBe(10_000);
  expect(taken.size).toBeGreaterThan(0);
  expect(taken.size).toBeLessThanOrEqual(limits.openJobsPerOwnerMax);
  expect((await fetch(`${whole.url}/healthz`)).status).toBe(200);
  const jobs = await allJobs(headers);
  expect(new Set(jobs.map(({ id }) => id))).toEqual(taken);
  const held = jobs.reduce((sum, { heldMicroCredits }) => sum + BigInt(heldMicroCredits), 0n);
  expect(before - (await grantOf(headers))).toBe(held);
  await whole.stop();
  await whole.start();
  expect(new Set((await allJobs(headers)).map(({ id }) => id))).toEqual(taken);
}, 90_000);
