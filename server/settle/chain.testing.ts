import type { Rng } from '../../shared/rng.ts';
import type { Batch, Chain, Deposit, Lifetime, Outcome, Payment, Signed, Status } from './chain.ts';
import { BatchTooLarge } from './chain.ts';

/**
 * A chain as a few dozen lines of arithmetic, fast enough for ten thousand histories: blocks, expiry, finality, markers, memos, accounts that refuse.
 * The real one in the tests is `local/`. What its node says is wrong as often as `faults` has it.
 */
export interface FakeFaults {
  /** Chances from 0 to 1, of each request. */
  drop: number;
  landThenTimeOut: number;
  reorder: number;
  hideStatuses: number;
  refuse: number;
}

export const noFaults = (): FakeFaults => ({ drop: 0, landThenTimeOut: 0, reorder: 0, hideStatuses: 0, refuse: 0 });

interface Sent {
  readonly batch: Batch;
  readonly lifetime: Lifetime;
}
interface Landed extends Sent {
  readonly height: bigint;
  readonly failed: number | 'marker' | null;
}

const LIFETIME_BLOCKS = 150n;
const FINAL_BEHIND = 32n;
const PAYMENTS_FIT = 6;
const wireOf = (sent: Sent): string => JSON.stringify(sent, (_key, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value));
const readWire = (wire: Uint8Array): Sent =>
  JSON.parse(new TextDecoder().decode(wire), (_key, value: unknown) =>
    typeof value === 'string' && /^\d+n$/.test(value) ? BigInt(value.slice(0, -1)) : value,
  ) as Sent;

export class FakeChain implements Chain {
  readonly faults = noFaults();
  readonly struck = { drop: 0, landThenTimeOut: 0, reorder: 0, hideStatuses: 0, refuse: 0 };
  /** Wallets whose token account is there. */
  readonly accounts = new Set<string>();
  /** Wallets whose token account takes nothing. */
  readonly frozen = new Set<string>();
  /** All payments that had effect, by memo id and in order: what the test is about. */
  readonly paid: { readonly to: string; readonly amount: bigint; readonly memo: string; readonly index: number }[] = [];
  tokens = 10n ** 15n;
  #height = 1000n;
  readonly #rng: Rng;
  readonly #landed = new Map<string, Landed>();
  readonly #markers = new Map<string, bigint>();
  readonly #late: { readonly wire: Uint8Array; readonly at: bigint }[] = [];

  constructor(rng: Rng) {
    this.#rng = rng;
  }

  advance(blocks: number): void {
    this.#height += BigInt(blocks);
    for (const late of this.#late.splice(0))
      if (late.at <= this.#height) this.#land(late.wire);
      else this.#late.push(late);
  }

  /** No account any more; its next payment opens it, or fails. */
  close(wallet: string): void {
    this.accounts.delete(wallet);
  }

  async finalisedHeight(): Promise<bigint> {
    this.#answer();
    return this.#height - FINAL_BEHIND;
  }

  async lifetime(): Promise<Lifetime> {
    this.#answer();
    return { blockhash: `${this.#height}`, lastValidBlockHeight: this.#height + LIFETIME_BLOCKS };
  }

  async sign(batch: Batch, lifetime: Lifetime): Promise<Signed> {
    if (batch.payments.length > PAYMENTS_FIT) throw new BatchTooLarge('too many payments');
    const text = wireOf({ batch, lifetime });
    return { wire: new TextEncoder().encode(text), signature: text };
  }

  async simulate(wire: Uint8Array): Promise<Outcome> {
    this.#answer();
    const failed = this.#failing(readWire(wire).batch);
    return failed === null ? { ok: true } : { ok: false, payment: failed === 'marker' ? null : failed, reason: 'it would fail' };
  }

  async send(wire: Uint8Array): Promise<void> {
    this.#answer();
    if (this.#strikes('drop')) return;
    if (this.#strikes('reorder')) {
      this.#late.push({ wire, at: this.#height + BigInt(1 + this.#rng.below(200)) });
      return;
    }
    this.#land(wire);
    if (this.#strikes('landThenTimeOut')) throw new Error('the connection was cut');
  }

  async statuses(signatures: readonly string[]): Promise<readonly Status[]> {
    this.#answer();
    return signatures.map((signature): Status => {
      const landed = this.#landed.get(signature);
      if (!landed || this.#strikes('hideStatuses')) return { kind: 'unknown' };
      if (landed.height > this.#height - FINAL_BEHIND) return { kind: 'seen' };
      if (landed.failed === null) return { kind: 'finalised', slot: landed.height };
      return { kind: 'failed', slot: landed.height, payment: landed.failed === 'marker' ? null : landed.failed, reason: 'it failed' };
    });
  }

  async marker(seed: string): Promise<'absent' | 'ours' | 'blocked'> {
    this.#answer();
    const height = this.#markers.get(seed);
    return height !== undefined && height <= this.#height - FINAL_BEHIND ? 'ours' : 'absent';
  }

  async hasTokenAccount(owner: string): Promise<boolean> {
    this.#answer();
    return this.accounts.has(owner);
  }

  async balance(): Promise<{ tokens: bigint; lamports: bigint }> {
    this.#answer();
    return { tokens: this.tokens, lamports: 10n ** 9n };
  }

  async deposits(): Promise<readonly Deposit[]> {
    return [];
  }

  async memos(after: string | null, limit: number): Promise<readonly { signature: string; memo: string | null }[]> {
    this.#answer();
    const final = [...this.#landed].filter(([, { height, failed }]) => failed === null && height <= this.#height - FINAL_BEHIND);
    final.sort(([, a], [, b]) => Number(a.height - b.height));
    const from = after === null ? 0 : final.findIndex(([signature]) => signature === after) + 1;
    return final.slice(from, from + limit).map(([signature, { batch }]) => ({ signature, memo: batch.memo }));
  }

  #answer(): void {
    if (this.#strikes('refuse')) throw new Error('the node is away');
  }

  #strikes(kind: keyof FakeFaults): boolean {
    const strikes = this.#rng.unit() < this.faults[kind];
    if (strikes) this.struck[kind]++;
    return strikes;
  }

  #failing({ marker, payments }: Batch): number | 'marker' | null {
    if (this.#markers.has(marker)) return 'marker';
    const fails = ({ to, opensAccount }: Payment): boolean => this.frozen.has(to) || (!opensAccount && !this.accounts.has(to));
    const index = payments.findIndex(fails);
    return index < 0 ? null : index;
  }

  #land(wire: Uint8Array): void {
    const sent = readWire(wire);
    const signature = new TextDecoder().decode(wire);
    if (this.#landed.has(signature) || this.#height > sent.lifetime.lastValidBlockHeight) return;
    const failed = this.#failing(sent.batch);
    this.#landed.set(signature, { ...sent, height: this.#height, failed });
    if (failed !== null) return;
    this.#markers.set(sent.batch.marker, this.#height);
    for (const [index, { to, amount }] of sent.batch.payments.entries()) {
      this.accounts.add(to);
      this.tokens -= amount;
      this.paid.push({ to, amount, memo: sent.batch.memo, index });
    }
  }
}
