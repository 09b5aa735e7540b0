import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Compile } from 'typebox/compile';
import { expect, test } from 'vitest';
import { workloadIds } from '../shaders/registry.ts';
import { limits } from '../shared/limits.ts';
import * as schemas from '../shared/schemas.ts';
import { atCap, type Cap, hitStated, hits, type LimitName, reasons } from './caps.ts';
import { type Method, Visitor, withApp } from './http/testing.ts';

const names = Object.keys(limits) as LimitName[];

/** Hits of these caps while something runs. */
async function hitsOf(run: () => unknown): Promise<Partial<Record<Cap, number>>> {
  const before = new Map(hits);
  await run();
  return Object.fromEntries([...hits].map(([cap, count]) => [cap, count - (before.get(cap) ?? 0)]).filter(([, count]) => count !== 0));
}

test('every cap is counted, or there is a reason why nothing can hit it', () => {
  for (const name of names) {
    const reason = reasons[name];
    expect(hits.has(name as Cap), name).toBe(reason === undefined);
    if (reason !== undefined) expect(reason.length, name).toBeGreaterThan(8);
  }
  expect(Object.keys(reasons).filter((name) => !(name in limits))).toEqual([]);
});

test('whatever is counted is counted somewhere', () => {
  const sources = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })
    .filter((path) => /(?<!\.(test|testing|bench))\.ts$/.test(path))
    .map((path) => readFileSync(join(import.meta.dirname, path), 'utf8'))
    .join('\n');
  for (const cap of hits.keys())
    expect(new RegExp(`(hit|atCap|full)\\(\\s*'${cap}'|[?:] '${cap}'|return '${cap}'|\\['${cap}', /`).test(sources), cap).toBe(true);
});

test('a refusal is returned as it was, and counted', async () => {
  const refusal = new Error('no');
  expect(await hitsOf(() => expect(atCap('groupsPerOwnerMax', refusal)).toBe(refusal))).toEqual({ groupsPerOwnerMax: 1 });
});

const over = (length: number): string => 'x'.repeat(length + 1);
const code = `${'A'.repeat(16)}.${'A'.repeat(43)}`;
const key = { name: 'Key', scopes: ['jobs:read'] };
const yes = { kinds: [workloadIds[0]], site: null };

const requests: readonly (readonly [cap: Cap, method: Method, url: string, body?: object, headers?: Record<string, string>])[] = [
  ['groupNameCharsMax', 'POST', '/api/groups', { name: over(limits.groupNameCharsMax) }],
  ['memberNameCharsMax', 'POST', '/api/invites/join', { code, name: over(limits.memberNameCharsMax) }],
  ['apiKeyNameCharsMax', 'POST', '/api/keys', { ...key, name: over(limits.apiKeyNameCharsMax) }],
  ['apiKeyBudgetDigitsMax', 'POST', '/api/keys', { ...key, budgetMicroCredits: '1'.repeat(limits.apiKeyBudgetDigitsMax + 1) }],
  ['powerPercentMin', 'POST', '/api/consents', { ...yes, powerPercent: limits.powerPercentMin - 1 }],
  ['powerPercentMax', 'POST', '/api/consents', { ...yes, powerPercent: limits.powerPercentMax + 1 }],
  ['pageRowsMax', 'GET', `/api/account/results?limit=${limits.pageRowsMax + 1}`],
  ['cursorCharsMax', 'GET', `/api/account/results?cursor=${over(limits.cursorCharsMax)}`],
  ['nestingMax', 'POST', '/api/groups', JSON.parse('['.repeat(limits.nestingMax + 1) + ']'.repeat(limits.nestingMax + 1))],
  ['jsonBodyBytesMax', 'POST', '/api/groups', { name: over(limits.jsonBodyBytesMax) }],
  ['idempotencyKeyCharsMax', 'POST', '/api/keys', key, { 'idempotency-key': over(limits.idempotencyKeyCharsMax) }],
];

test('a request beyond a cap counts it, and nothing else', () =>
  withApp(async (test) => {
    const visitor = new Visitor(test);
    await visitor.start();
    for (const [cap, method, url, body, headers] of requests) expect(await hitsOf(() => visitor.ask(method, url, body, headers)), cap).toEqual({ [cap]: 1 });
    const many = async () => {
      for (let made = 0; made <= limits.groupsPerOwnerMax; made++) await visitor.ask('POST', '/api/groups', { name: 'Studio' });
    };
    expect(await hitsOf(many)).toEqual({ groupsPerOwnerMax: 1 });
  }));

test.each([
  ['titleCharsMax', schemas.jobRequest, { workload: 'x', params: {}, files: {}, visibility: 'public', title: over(limits.titleCharsMax) }],
  ['webhookUrlCharsMax', schemas.webhookRequest, { events: ['job.done'], url: `https://a.example/${over(limits.webhookUrlCharsMax)}` }],
  ['reportTextCharsMax', schemas.reportRequest, { reason: 'illegal', text: over(limits.reportTextCharsMax) }],
  ['leasesPerContributorMax', schemas.workRequest, { leasesMax: limits.leasesPerContributorMax + 1 }],
  ['downloadBytesMin', schemas.workRequest, { leasesMax: 0, downloadBytesMax: limits.downloadBytesMin - 1 }],
  ['downloadBytesMax', schemas.workRequest, { leasesMax: 0, downloadBytesMax: limits.downloadBytesMax + 1 }],
  ['blockedRequestersMax', schemas.preferences, { blocked: Array.from({ length: limits.blockedRequestersMax + 1 }, () => 'A'.repeat(12)) }],
  ['targetErrorMin', schemas.checksPolicy, { targetError: limits.targetErrorMin / 2 }],
  ['targetErrorMax', schemas.checksPolicy, { targetError: limits.targetErrorMax * 2 }],
] as const)('a message beyond %s counts it', async (cap, schema, message) => {
  expect(await hitsOf(() => hitStated(Compile(schema).Errors(message)[0]!, 'command'))).toEqual({ [cap]: 1 });
});
