import type { ApiKeyId, BlobHash, GroupId, OwnerId, QuoteId } from '../../shared/model.ts';
import { writeEpoch } from '../earnings.ts';
import type { StoredWithdrawal } from './money.ts';
import { packAll } from './packs.testing.ts';
import type { Store, StoredJob, Transfer, Write } from './store.ts';
import type { TestDatabase } from './stores.testing.ts';
import {
  bytesOf,
  consentIdOf,
  contributorIdOf,
  device,
  exampleConsent,
  exampleContributor,
  exampleJob,
  exampleResult,
  exampleSite,
  exampleStanding,
  exampleTransfer,
  jobIdOf,
  resultIdOf,
  sha256,
  siteIdOf,
  wallet,
} from './testing.ts';

/** Somebody who has done all that one can do, and whatever he has said or owns is marked; beside him Bob, who has to do with him. */

export const MARK = 'Confidential';
export const bob = device('bob');
const NUMBERS_PER_PERSON = 10;
/** Expired ones go when a store is opened. */
export const SESSION_MS = 1e15;

export interface Person {
  /** Numbers of his things begin here. */
  readonly number: number;
  readonly device: OwnerId;
  readonly wallet: OwnerId;
  /** Nothing of these may be found afterwards. */
  readonly traces: readonly (string | Uint8Array)[];
}

/** His name is his number and letters that occur in nothing else. */
export function personOf(index: number): Person {
  const address = `${String(index).padStart(4, '0')}${MARK}Address${'x'.repeat(20)}`;
  const person = device(`${MARK.slice(0, 4)}Dev${String(index).padStart(4, '0')}`);
  const number = NUMBERS_PER_PERSON * (index + 1);
  const secrets = [0, 1, 2, 3, 4].map((each) => secretOf(index, each));
  return { number, device: person, wallet: wallet(address), traces: [person, address, `${MARK} ${index};`, ...secrets] };
}
const secretOf = (index: number, which: number): Uint8Array => new Uint8Array(Buffer.from(sha256(new TextEncoder().encode(`${index} ${which}`)), 'hex'));

const post = (transfer: Partial<Transfer> & Pick<Transfer, 'id'>): Write => ({ kind: 'transfer', transfer: exampleTransfer(transfer) });

/** What Bob has before anybody comes: an open job that others compute, a group, and test credits. */
export async function enterBob(store: Store): Promise<void> {
  await store.people.createDevice(bob, bytesOf(200), SESSION_MS, exampleTransfer({ id: `grant/${bob}`, credit: `${bob}/grant`, microCredits: 10n ** 12n }));
  await store.people.createContributor(exampleContributor({ id: contributorIdOf(1), owner: bob }));
  const group = { id: 'g_0000000000000001' as GroupId, name: 'Bob’s', owner: bob, createdMs: 1 };
  await store.groups.create(group, { id: 'm_bob', group: group.id, owner: bob, name: 'Bob', joinedMs: 1 });
  const held = [{ account: `${bob}/grant` as const, microCredits: 1000n }];
  await store.jobs.create(exampleJob({ owner: bob, title: 'Bob’s job', heldFrom: held }), [
    exampleTransfer({ id: `hold/${jobIdOf(1)}/0`, debit: `${bob}/grant`, credit: `job/${jobIdOf(1)}`, microCredits: 1000n, kind: 'hold', job: jobIdOf(1) }),
  ]);
}

const summary = {
  parts: { total: 1, accepted: 1, checking: 0, leased: 0 },
  contributors: 1,
  checksDone: { cpu: 1, trusted: 0, contributor: 0, refuted: 0, revoked: 0, errorBound: 0 },
  paidMicroCredits: '0',
} as unknown as NonNullable<StoredJob['summary']>;

/** As a device at first, with a wallet then. */
export async function enter(store: Store, index: number): Promise<Person> {
  const person = personOf(index);
  const { device: me } = person;
  const text = (what: string): string => `${what} ${MARK} ${index};`;
  await store.people.createDevice(me, secretOf(index, 0), SESSION_MS, exampleTransfer({ id: `grant/${me}`, credit: `${me}/grant`, microCredits: 5000n }));
  await contribute(store, person, index, me);
  await ask(store, person, me, text);
  await store.people.signIn(person.wallet, me, secretOf(index, 0), secretOf(index, 1), SESSION_MS, `nonce ${index}`, 2000);
  await administer(store, person, index, text);
  await earn(store, person);
  return person;
}

/** Tiles of Bob's job, some paid before he signs in. */
async function contribute(store: Store, { number }: Person, index: number, me: OwnerId): Promise<void> {
  const id = contributorIdOf(number);
  await store.people.createContributor(exampleContributor({ id, owner: me, secretHash: secretOf(index, 2) }));
  const result = exampleResult({ id: resultIdOf(number), contributor: id, owner: me });
  await store.commit([
    { kind: 'result', result },
    { kind: 'standing', contributor: id, workload: 'example', standing: exampleStanding() },
    post({ id: `pay/${result.id}`, debit: `job/${jobIdOf(1)}`, credit: `vesting/${id}`, microCredits: 9n, kind: 'pay', job: jobIdOf(1), at: result.at }),
    post({ id: `vest/${result.id}`, debit: `vesting/${id}`, credit: `${me}/earned`, microCredits: 4n, kind: 'vest', job: jobIdOf(1), at: result.at }),
  ]);
  // And one of a job that has ended long ago.
  const old = exampleJob({ id: jobIdOf(number + 1), owner: bob, inputs: [], workHeld: 0n, checksHeld: 0n, heldFrom: [] });
  await store.jobs.create(old, []);
  await store.commit([
    { kind: 'result', result: { ...result, id: resultIdOf(number + 2), job: old.id, state: 'accepted', inline: null } },
    { kind: 'jobEnded', id: old.id, status: 'done', atMs: 1600, summary },
  ]);
  await packAll(store, { measured: null });
}

/** A job that is done, of which Bob computed a tile whose pay vests still. */
async function ask(store: Store, { number }: Person, me: OwnerId, text: (what: string) => string): Promise<void> {
  const id = jobIdOf(number);
  const file = sha256(new TextEncoder().encode(text('file')));
  const held = { account: `${me}/grant` as const, microCredits: 1000n };
  const params = { prompt: text('draw') };
  const job = exampleJob({
    id,
    owner: me,
    title: text('My room'),
    params,
    prepared: params,
    heldFrom: [held],
    inputs: [{ name: text('scene'), hash: file, bytes: 3 }],
  });
  const hold = { id: `hold/${id}/0`, debit: held.account, credit: `job/${id}` as const, microCredits: held.microCredits, kind: 'hold' as const, job: id };
  await store.jobs.create(job, [exampleTransfer(hold)], { files: { [text('scene')]: file } });
  const result = exampleResult({ id: resultIdOf(number + 1), job: id, contributor: contributorIdOf(1), owner: bob });
  const vesting = { unit: 'test' as const, microCredits: 7n, vestsAtMs: 9000, refundTo: held.account };
  await store.commit([
    { kind: 'result', result },
    { kind: 'verdict', id: result.id, state: 'accepted', errorBound: 0, vesting, evidence: [], atMs: 1500 },
    post({ id: `pay/${result.id}`, debit: `job/${id}`, credit: `vesting/${contributorIdOf(1)}`, microCredits: 7n, kind: 'pay', job: id, at: result.at }),
    post({ id: `refund/${id}/0`, debit: `job/${id}`, credit: held.account, microCredits: 993n, kind: 'refund', job: id }),
    { kind: 'jobEnded', id, status: 'done', atMs: 1600, summary },
  ]);
  await store.jobs.setFile(id, 'png', 'ab'.repeat(32) as BlobHash, 0, 9000);
}

async function administer(store: Store, { number, wallet: me, traces }: Person, index: number, text: (what: string) => string): Promise<void> {
  await store.people.putChallenge({
    nonce: `nonce ${number}`,
    address: traces[1] as string,
    text: text('sign'),
    sessionHash: secretOf(index, 1),
    expiresMs: 1e6,
  });
  await store.people.createContributor(exampleContributor({ id: contributorIdOf(number + 1), owner: me, secretHash: secretOf(index, 3) }));
  await store.people.createSite(
    exampleSite({ id: siteIdOf(number), owner: me, name: text('Blog'), origin: `https://${text('blog')}`, token: text('token'), network: text('net') }),
  );
  // Bob is a visitor there.
  for (const each of [contributorIdOf(number), contributorIdOf(number + 1), contributorIdOf(1)])
    await store.people.createConsent(
      exampleConsent({ id: consentIdOf(`${number}${each.slice(-6)}`), contributor: each, site: siteIdOf(number), expiresMs: 1e6 }),
    );
  const mine = { id: `g_${String(number).padStart(16, '0')}` as GroupId, name: text('Family'), owner: me, createdMs: 1 };
  await store.groups.create(mine, { id: `m_${number}`, group: mine.id, owner: me, name: text('Me'), joinedMs: 1 });
  await store.groups.addMember({ id: `m_${number}b`, group: mine.id, owner: bob, name: 'Bob', joinedMs: 2 });
  await store.groups.createInvite({ id: `i_${number}`, group: mine.id, secretHash: bytesOf(9), createdMs: 1, expiresMs: 1e6, revokedMs: null });
  await store.groups.addMember({ id: `m_${number}c`, group: 'g_0000000000000001' as GroupId, owner: me, name: text('Me'), joinedMs: 3 });
  const key = { id: `tk_${number}` as ApiKeyId, owner: me, name: text('Farm'), secretHash: secretOf(index, 4), scopes: [], budget: null };
  await store.apiKeys.create({ ...key, createdMs: 1, expiresMs: null, usedMs: null, revokedMs: null });
  const hook = { id: `wh_${number}`, owner: me, url: `https://${text('hook')}`, host: text('hook'), events: ['job.done' as const], secret: text('whsec') };
  await store.webhooks.create({ ...hook, createdMs: 1, failures: 0, failingSinceMs: null, disabled: null });
  const delivery = {
    id: `msg_${number}`,
    webhook: hook.id,
    type: 'test',
    job: null,
    body: text('body'),
    createdMs: 1,
    attempts: 0,
    attemptedMs: null,
    status: null,
  };
  await store.webhooks.attempted(
    { ...delivery, error: null, nextMs: null, deliveredMs: null },
    { atMs: 2, status: 200, error: null, nextMs: null, isGone: false },
  );
  const quote = {
    id: `q_${number}` as QuoteId,
    owner: me,
    fingerprint: bytesOf(1),
    ratePerUnit: 1n,
    priceVersion: null,
    finish: null,
    createdMs: 1,
    expiresMs: 1e6,
  };
  await store.quotes.create(quote, 2);
  await store.idempotency.keepAnswer({ owner: me, route: 'POST /api/jobs', keyHash: bytesOf(5), fingerprint: bytesOf(6), atMs: 2000 }, bytesOf(7));
  await store.moderation.addReport({ id: `rp_${number}`, job: jobIdOf(1), reporter: me, reason: 'other', text: text('I know him'), createdMs: 3 }, 1e6);
  await store.sharing.tell(1, 'owner', `${personOf(index).device} ${me}`);
}

/** Credits, withdrawals and epochs of a wallet. */
async function earn(store: Store, { number, wallet: me, device: before }: Person): Promise<void> {
  await store.commit([
    post({ id: `deposit/${number}`, unit: 'credit', debit: 'operator/exchange', credit: `${me}/deposited`, microCredits: 300n, kind: 'deposit' }),
    post({ id: `earn/${number}`, unit: 'credit', debit: 'operator/exchange', credit: `${me}/earned`, microCredits: 50n, kind: 'vest' }),
    post({ id: `share/${number}`, debit: 'operator/issuance', credit: `site/${siteIdOf(number)}`, microCredits: 6n, kind: 'site share' }),
    // What was decided before he signed in.
    post({ id: `audit/${number}`, debit: `job/${jobIdOf(1)}`, credit: `${before}/earned`, microCredits: 1n, kind: 'audit', job: jobIdOf(1) }),
  ]);
  await writeEpoch(store.money, bytesOf(8), number);
  await store.money.ask(withdrawalOf(me, `w_${number}`), 1e6, null);
  await withdraw(store, me, `w_${number}p`, 20n);
  await endWithdrawal(store, me, `w_${number}p`, 20n);
}

const withdrawalOf = (owner: OwnerId, id: string, microCredits = 1n): StoredWithdrawal => ({
  ...{ id, owner, state: 'asked', microCredits, sessionHash: bytesOf(1), signature: null, transaction: null, paidTokens: null, reason: null },
  order: {
    ...{
      id,
      wallet: owner.slice('wallet:'.length),
      tokens: microCredits,
      openingTokens: 0n,
      mint: 'mint',
      chain: 'solana:mainnet',
      origin: 'https://o.example',
    },
    ...{ nonce: 'n', issuedAt: '', expiresAt: '' },
  },
  ...{ createdMs: 1, expiresMs: 1e6, endedMs: null },
});

const holdOf = (owner: OwnerId, id: string, microCredits: bigint): Transfer =>
  exampleTransfer({
    ...{ id: `withdraw/${id}`, unit: 'credit', debit: `${owner}/earned`, credit: 'operator/exchange', microCredits, phase: 'pending', kind: 'withdrawal' },
  });

/** Signed, and not paid yet. */
export async function withdraw(store: Store, owner: OwnerId, id: string, microCredits: bigint): Promise<void> {
  await store.money.ask(withdrawalOf(owner, id, microCredits), 1e6, null);
  await store.money.takeAsked(id, owner);
  await store.money.confirm(id, `signature of ${owner}`, holdOf(owner, id, microCredits));
}

export async function endWithdrawal(store: Store, owner: OwnerId, id: string, microCredits: bigint, isPaid = true): Promise<void> {
  const hold = holdOf(owner, id, microCredits);
  const phase = isPaid ? ('post' as const) : ('void' as const);
  const end = { ...hold, id: `${hold.id}/${phase}`, phase, pending: hold.id };
  const outcome = {
    state: isPaid ? ('paid' as const) : ('failed' as const),
    transaction: isPaid ? `tx ${id}` : null,
    paidTokens: isPaid ? microCredits : null,
  };
  await store.money.end({ id, ...outcome, epoch: null, reason: null, atMs: 5, transfers: [end] });
}

type Row = Readonly<Record<string, unknown>>;

/** All rows of all tables there are, by the schema that the database itself tells; a table of tomorrow is among them. No store may be open on SQLite. */
export async function everything({ run }: TestDatabase, isSqlite: boolean): Promise<Map<string, readonly Row[]>> {
  const listed = isSqlite
    ? "select name from sqlite_master where type = 'table' and name not like 'sqlite_%' order by name"
    : "select table_name as name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE' order by table_name";
  const names = ((await run(listed)) as { name: string }[]).map(({ name }) => name).filter((name) => !name.startsWith('kysely_'));
  if (isSqlite) return new Map(await Promise.all(names.map(async (name) => [name, (await run(`select * from "${name}"`)) as Row[]] as const)));
  // In one query: each has a connection of its own. Bytes are hexadecimal.
  const all = names.map((name) => `select '${name}' as name, to_jsonb("${name}") as row from "${name}"`).join(' union all ');
  const rows = (await run(`${all} order by 1, 2`)) as { name: string; row: Row }[];
  return new Map(names.map((each) => [each, rows.filter(({ name }) => name === each).map(({ row }) => row)]));
}

/** Columns in which one of these texts or bytes is found, as `table.column: value`. */
export function found(tables: Awaited<ReturnType<typeof everything>>, traces: readonly (string | Uint8Array)[]): string[] {
  const bytes = traces.map((trace) => Buffer.from(trace as string));
  const holds = (value: unknown): boolean => {
    if (typeof value !== 'string' && !(value instanceof Uint8Array)) return false;
    const all = Buffer.from(value as string);
    return bytes.some((trace) => all.includes(trace)) || (typeof value === 'string' && bytes.some((trace) => value.includes(trace.toString('hex'))));
  };
  return [...tables].flatMap(([table, rows]) =>
    rows.flatMap((row) => Object.entries(row).flatMap(([column, value]) => (holds(value) ? [`${table}.${column}: ${String(value)}`] : []))),
  );
}
