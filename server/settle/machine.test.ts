import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Rng } from '../../shared/rng.ts';
import { FakeChain, type FakeFaults, noFaults } from './chain.testing.ts';
import type { Chain } from './chain.ts';
import { Journal } from './journal.ts';
import { Machine } from './machine.ts';
import { readMemo } from './memo.ts';
import type { SignedOrder } from './order.ts';

/** In the suite; by hand ten thousand: `HISTORIES=10000 npx vitest run server/settle/machine.test.ts`. */
const HISTORIES = Number(process.env.HISTORIES ?? 300);
const OPENING = 2n;
const wallets = ['ada', 'bob', 'eve', 'dan', 'ida', 'kim', 'leo', 'mia'];
const epoch = { epoch: 3, root: '-' };

class Crash extends Error {}

/** Passes every call on, and crashes before or after the one that is named. */
function crashing<T extends object>(target: T, at: () => 'before' | 'after' | null): T {
  return new Proxy(target, {
    get(object, name) {
      const value: unknown = Reflect.get(object, name, object);
      if (typeof value !== 'function') return value;
      return (...values: unknown[]): unknown => {
        const when = at();
        if (when === 'before') throw new Crash();
        const answer: unknown = Reflect.apply(value, object, values);
        if (when !== 'after') return answer;
        if (!(answer instanceof Promise)) throw new Crash();
        return answer.then(() => Promise.reject(new Crash()));
      };
    },
  });
}

/** One world: a chain, a journal that outlives its machines, and what the coordinator has ordered and heard. */
class World {
  readonly chain: FakeChain;
  journal = Journal.open(':memory:');
  readonly orders: SignedOrder[] = [];
  readonly ended = new Map<string, string>();
  crashes = 0;
  lost = 0;
  #machine!: Machine;
  #started = false;
  #calls = 0;
  #crash: { readonly at: number; readonly when: 'before' | 'after' } | null = null;
  #markers = 0;

  constructor(seed: number) {
    this.chain = new FakeChain(new Rng(seed));
    this.start();
  }

  start(): void {
    const at = (): 'before' | 'after' | null => (this.#crash && ++this.#calls === this.#crash.at ? this.#crash.when : null);
    this.#started = false;
    this.#machine = new Machine({
      journal: crashing(this.journal, at),
      chain: crashing<Chain>(this.chain, at),
      clock: () => 1_800_000_000_000,
      marker: () => `m${this.#markers++}`,
      dayTokensMax: 10n ** 12n,
      expected: { origin: 'https://a.test', chain: 'solana:localnet', mint: 'm' },
      log: () => undefined,
    });
  }

  order(wallet: string, tokens: bigint): void {
    const id = `w_${String(this.orders.length).padStart(16, '0')}`;
    const order = { id, wallet, tokens, openingTokens: OPENING, mint: 'm', chain: 'solana:localnet', origin: 'https://a.test', nonce: id };
    this.orders.push({ ...order, issuedAt: '', expiresAt: '', signature: '' });
  }

  crashAt(at: number, when: 'before' | 'after'): void {
    this.#calls = 0;
    this.#crash = { at, when };
  }

  /** Everything that is not in the journal stays true: what was told, what is on the chain. */
  loseJournal(): void {
    this.lost++;
    this.journal.close();
    this.journal = Journal.open(':memory:');
    this.start();
  }

  /** One round as the process does it. Signatures of orders are checked elsewhere. */
  async tick(): Promise<void> {
    try {
      if (!this.#started) {
        await this.#machine.recover();
        this.#started = true;
      }
      for (const order of this.orders) if (!this.ended.has(order.id)) this.journal.take(order);
      await this.#machine.tick(epoch);
      this.tell();
    } catch (error) {
      if (!(error instanceof Crash)) return;
      this.crashes++;
      this.#crash = null;
      this.start();
    }
  }

  tell(): void {
    const untold = this.journal.untold(50);
    for (const { id, outcome } of untold) {
      const text = outcome.kind === 'paid' ? `paid ${outcome.tokens}` : 'failed';
      const before = this.ended.get(id);
      if (before !== undefined && before !== text) throw new Error(`${id} was ${before} and is now ${text}`);
      this.ended.set(id, text);
    }
    this.journal.told(untold.map(({ id }) => id));
  }

  /** What each withdrawal got on the chain, by the memo of its transaction. */
  paidOnChain(): Map<string, bigint[]> {
    const paid = new Map<string, bigint[]>();
    for (const { memo, index, amount } of this.chain.paid) {
      const id = readMemo(memo)?.payments[index]?.id ?? 'nobody';
      paid.set(id, [...(paid.get(id) ?? []), amount]);
    }
    return paid;
  }
}

const step = fc.oneof(
  { weight: 12, arbitrary: fc.record({ do: fc.constant('order' as const), wallet: fc.constantFrom(...wallets), tokens: fc.bigInt(3n, 1000n) }) },
  { weight: 30, arbitrary: fc.record({ do: fc.constant('tick' as const) }) },
  { weight: 16, arbitrary: fc.record({ do: fc.constant('advance' as const), blocks: fc.constantFrom(1, 5, 33, 70, 155, 400) }) },
  {
    weight: 9,
    arbitrary: fc.record({
      do: fc.constant('crash' as const),
      at: fc.integer({ min: 1, max: 25 }),
      when: fc.constantFrom('before' as const, 'after' as const),
    }),
  },
  {
    weight: 9,
    arbitrary: fc.record({
      do: fc.constant('fault' as const),
      kind: fc.constantFrom(...(Object.keys(noFaults()) as (keyof FakeFaults)[])),
      chance: fc.constantFrom(0.3, 1),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('mend' as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('freeze' as const, 'close' as const), wallet: fc.constantFrom(...wallets) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('lose' as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

async function play(world: World, steps: readonly Step[]): Promise<void> {
  const { chain } = world;
  for (const each of steps) {
    if (each.do === 'order') world.order(each.wallet, each.tokens);
    else if (each.do === 'tick') await world.tick();
    else if (each.do === 'advance') chain.advance(each.blocks);
    else if (each.do === 'crash') world.crashAt(each.at, each.when);
    else if (each.do === 'fault') chain.faults[each.kind] = each.chance;
    else if (each.do === 'mend') Object.assign(chain.faults, noFaults());
    else if (each.do === 'freeze') chain.frozen.add(each.wallet);
    else if (each.do === 'close') chain.close(each.wallet);
    else world.loseJournal();
    expect([...world.paidOnChain().values()].filter(({ length }) => length > 1)).toEqual([]);
  }
}

test('whatever crashes, whatever the node hides: nothing is paid twice, nothing is lost, and the books equal the chain', {
  timeout: 60_000 + 100 * HISTORIES,
}, async () => {
  const seen = { orders: 0, paid: 0, failed: 0, crashes: 0, lost: 0, ...noFaults() };
  const property = fc.asyncProperty(fc.integer(), fc.array(step, { minLength: 20, maxLength: 60 }), async (seed, steps) => {
    const world = new World(seed);
    await play(world, steps);
    // The node is well again, and time passes.
    Object.assign(world.chain.faults, noFaults());
    for (let round = 0; round < 120 && world.ended.size < world.orders.length; round++) {
      await world.tick();
      world.chain.advance(40);
    }
    const paid = world.paidOnChain();
    for (const { id, wallet, tokens } of world.orders) {
      const [amount, ...more] = paid.get(id) ?? [];
      expect(more).toEqual([]);
      expect(world.ended.get(id)).toBe(amount === undefined ? 'failed' : `paid ${amount}`);
      if (amount === undefined) expect(world.chain.frozen).toContain(wallet);
      else expect([tokens, tokens - OPENING]).toContain(amount);
    }
    expect(paid.has('nobody')).toBe(false);
    seen.orders += world.orders.length;
    seen.paid += paid.size;
    seen.failed += world.orders.length - paid.size;
    seen.crashes += world.crashes;
    seen.lost += world.lost;
    for (const kind of Object.keys(noFaults()) as (keyof FakeFaults)[]) seen[kind] += world.chain.struck[kind];
    world.journal.close();
  });
  await fc.assert(property, { numRuns: HISTORIES });
  console.log(`payout: ${HISTORIES} histories`, JSON.stringify(seen));
  // It says little unless all of it happened.
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(0);
});
