import fc from 'fast-check';
import { expect, test } from 'vitest';
import { limits } from '../../shared/limits.ts';
import type { OwnerId } from '../../shared/model.ts';
import type { AccountView, Challenge } from '../../shared/schemas.ts';
import { TestWallet } from '../solana.testing.ts';
import { exampleTransfer } from '../store/testing.ts';
import { type TestApp, Visitor, withApp } from './testing.ts';

/** In the suite; by hand more: `HISTORIES=10000 npx vitest run server/http/sign-in.model.test.ts`. */
const HISTORIES = Number(process.env.HISTORIES ?? 80);
const EARNED = 7n;

const who = fc.integer({ min: 0, max: 2 });
const which = fc.integer({ min: 0, max: 3 });
/** How an answer differs from the right one. */
const flaws = [null, null, null, 'another wallet', 'another text', 'another address', 'a byte more', 'another nonce'] as const;
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('ask' as const), who, wallet: fc.integer({ min: 0, max: 1 }) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('answer' as const), who, which, flaw: fc.constantFrom(...flaws) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('answer twice at once' as const), who, which }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('sign out' as const), who }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('earn' as const), who }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1000, limits.challengeMsMax + 1) }) },
);
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

interface Asked extends Challenge {
  readonly wallet: TestWallet;
  /** The session that asked. */
  readonly session: number;
  readonly expiresMs: number;
  isUsed: boolean;
}

/** What is true by the rules of the page, in a few lines: who is signed in as whom, what may still be answered, who owns what was earned. */
class Model {
  readonly asked: Asked[] = [];
  /** Of each visitor: which session it is in, counted, and as whom. */
  readonly sessions: { number: number; owner: string }[];
  readonly earned = new Map<string, bigint>();
  #number = 0;

  constructor(owners: readonly string[]) {
    this.sessions = owners.map((owner) => ({ number: this.#number++, owner }));
  }

  /** Whether the answer is taken. It is used up either way, where there is such a question. */
  answer(visitor: number, asked: Asked, flaw: (typeof flaws)[number], now: number): boolean {
    const session = this.sessions[visitor]!;
    if (flaw === 'another nonce') return false;
    const right = !asked.isUsed && asked.session === session.number && asked.expiresMs > now && flaw === null;
    asked.isUsed = true;
    if (!right) return false;
    const owner = `wallet:${asked.wallet.address}`;
    // What a device earned goes along; what is another wallet's stays there.
    if (session.owner.startsWith('device:')) {
      this.earned.set(owner, (this.earned.get(owner) ?? 0n) + (this.earned.get(session.owner) ?? 0n));
      this.earned.delete(session.owner);
    }
    this.sessions[visitor] = { number: this.#number++, owner };
    return true;
  }

  signOut(visitor: number, owner: string): void {
    this.sessions[visitor] = { number: this.#number++, owner };
  }
}

class History {
  readonly #test: TestApp;
  readonly #visitors: readonly Visitor[];
  readonly #wallets = [new TestWallet(), new TestWallet(), new TestWallet()] as const;
  readonly #model: Model;
  readonly seen: Record<string, number>;
  #earnings = 0;
  readonly #name: string;

  constructor(test: TestApp, visitors: readonly Visitor[], owners: readonly string[], name: string, seen: Record<string, number>) {
    this.#test = test;
    this.#visitors = visitors;
    this.#model = new Model(owners);
    this.#name = name;
    this.seen = seen;
  }

  #count(what: string): void {
    this.seen[what] = (this.seen[what] ?? 0) + 1;
  }

  #answerOf({ wallet, text, nonce }: Asked, flaw: (typeof flaws)[number]): object {
    const stranger = this.#wallets[2];
    if (flaw === 'another wallet') return stranger.answer(nonce, text);
    if (flaw === 'another text') return wallet.answer(nonce, text.replace('costs nothing', 'costs all'));
    if (flaw === 'another address') return stranger.answer(nonce, text.replace(wallet.address, stranger.address));
    if (flaw === 'a byte more') return wallet.answer(nonce, `${text}\n`);
    return wallet.answer(flaw === 'another nonce' ? 'f'.repeat(32) : nonce, text);
  }

  async play(each: Step): Promise<void> {
    const { store, now } = this.#test;
    if (each.do === 'wait') {
      now.ms += each.ms;
      return;
    }
    const visitor = this.#visitors[each.who]!;
    const session = this.#model.sessions[each.who]!;
    if (each.do === 'ask') {
      const wallet = this.#wallets[each.wallet]!;
      const { body } = await visitor.ask<Challenge>('POST', '/api/account/challenge', { address: wallet.address });
      this.#model.asked.push({ ...body, wallet, session: session.number, expiresMs: now.ms + limits.challengeMsMax, isUsed: false });
    } else if (each.do === 'sign out') {
      this.#model.signOut(each.who, (await visitor.ask<AccountView>('POST', '/api/account/sign-out', {})).body.owner);
    } else if (each.do === 'earn') {
      const credit = `${session.owner as OwnerId}/earned` as const;
      const transfer = exampleTransfer({ id: `${this.#name}/${this.#earnings++}`, credit, microCredits: EARNED });
      await store.commit([{ kind: 'transfer', transfer }]);
      this.#model.earned.set(session.owner, (this.#model.earned.get(session.owner) ?? 0n) + EARNED);
    } else {
      const asked = this.#model.asked.at(-1 - each.which);
      if (!asked) return;
      const flaw = each.do === 'answer' ? each.flaw : null;
      const body = this.#answerOf(asked, flaw);
      const times = each.do === 'answer' ? 1 : 2;
      const { cookie } = visitor;
      const replies = await Promise.all(Array.from({ length: times }, () => visitor.ask('POST', '/api/account/sign-in', body, { cookie })));
      const taken = replies.filter(({ status }) => status === 200);
      const expected = this.#model.answer(each.who, asked, flaw, now.ms);
      expect(taken).toHaveLength(expected ? 1 : 0);
      this.#count(expected ? 'taken' : 'refused');
      if (flaw !== null) this.#count(flaw);
      // Where one of two was taken, its cookie is the visitor's.
      const cookieOf = taken[0]?.headers['set-cookie'];
      visitor.cookie = expected ? String(cookieOf).split(';')[0] : cookie;
    }
    await this.#look();
  }

  /** Everybody is whom the model says, and what was earned is where it says. */
  async #look(): Promise<void> {
    for (const [index, visitor] of this.#visitors.entries())
      expect((await visitor.ask<AccountView>('GET', '/api/account')).body.owner).toBe(this.#model.sessions[index]!.owner);
    for (const [owner, amount] of this.#model.earned) expect(await this.#test.store.ledger.balance(`${owner as OwnerId}/earned`, 'test')).toBe(amount);
  }
}

test('whoever answers whatever, in whatever order: only the wallet, once, in time, in the session that asked', { timeout: 30_000 + 200 * HISTORIES }, () =>
  withApp(async (app) => {
    const seen: Record<string, number> = {};
    let history = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 6, maxLength: 14 }), async (steps) => {
        const visitors = [new Visitor(app), new Visitor(app), new Visitor(app)];
        const owners: string[] = [];
        for (const visitor of visitors) owners.push(await visitor.start());
        const played = new History(app, visitors, owners, `h${history++}`, seen);
        for (const each of steps) await played.play(each);
      }),
      { numRuns: HISTORIES },
    );
    for (const books of await app.store.ledger.audit()) expect(books).toMatchObject({ sum: 0n, wrongAccounts: 0 });
    console.log(`sign-in: ${HISTORIES} histories`, JSON.stringify(seen));
    for (const flaw of flaws) if (flaw !== null) expect(seen[flaw]).toBeGreaterThan(0);
    expect(seen.taken).toBeGreaterThan(0);
  }),
);
