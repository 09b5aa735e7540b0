import Database from 'better-sqlite3';
import type { SignedOrder } from './order.ts';

/**
 * What the settle process knows, in a database of its own, which it holds alone (two processes over one journal are refused). Every method is one
 * transaction that is on disk when it returns (`synchronous=FULL`).
 *
 * A withdrawal: waiting -> batched -> paid, or batched -> aside -> waiting (it made its batch fail) -> ... -> failed.
 * A batch: open -> landed, or open -> failed. An attempt, one signature for a batch: signed -> sent -> landed, failed or expired.
 */
export type WithdrawalState = 'waiting' | 'batched' | 'aside' | 'paid' | 'failed';

export interface Withdrawal {
  readonly order: SignedOrder;
  readonly state: WithdrawalState;
  /** How often it made a batch fail. */
  readonly tries: number;
}

/** What is paid for a withdrawal in one attempt. */
export interface Share {
  readonly id: string;
  readonly to: string;
  readonly amount: bigint;
  readonly opensAccount: boolean;
}

export interface Attempt {
  readonly signature: string;
  readonly wire: Uint8Array;
  readonly lastValidBlockHeight: bigint;
  readonly shares: readonly Share[];
  readonly state: 'signed' | 'sent' | 'landed' | 'failed' | 'expired';
}

export interface OpenBatch {
  readonly marker: string;
  readonly epoch: number;
  readonly root: string;
  readonly shares: readonly Share[];
  /** Oldest first. */
  readonly attempts: readonly Attempt[];
}

/** How a withdrawal ended. */
export interface Ended {
  readonly id: string;
  readonly outcome:
    | { readonly kind: 'paid'; readonly signature: string; readonly tokens: bigint; readonly epoch: number }
    | { readonly kind: 'failed'; readonly reason: string };
}

const schema = `
  create table if not exists withdrawals (
    seq integer primary key autoincrement, id text not null unique, order_json text not null,
    state text not null check (state in ('waiting', 'batched', 'aside', 'paid', 'failed')),
    batch text, tries integer not null default 0, signature text, tokens text, reason text, told integer not null default 0
  ) strict;
  create index if not exists withdrawals_waiting on withdrawals (seq) where state = 'waiting';
  create index if not exists withdrawals_untold on withdrawals (seq) where state in ('paid', 'failed') and told = 0;
  create index if not exists withdrawals_by_batch on withdrawals (batch) where batch is not null;
  create table if not exists batches (
    marker text primary key, epoch integer not null, root text not null, shares_json text not null,
    state text not null check (state in ('open', 'landed', 'failed')), created_ms integer not null, tokens integer not null
  ) strict;
  create index if not exists batches_open on batches (created_ms) where state = 'open';
  create index if not exists batches_by_age on batches (created_ms);
  create table if not exists attempts (
    seq integer primary key autoincrement, signature text not null unique, batch text not null references batches (marker), wire blob not null,
    last_valid text not null, shares_json text not null, state text not null check (state in ('signed', 'sent', 'landed', 'failed', 'expired'))
  ) strict;
  create index if not exists attempts_by_batch on attempts (batch, seq);
  create table if not exists marks (name text primary key, value text not null) strict;
`;

const withBigints = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? `${value}n` : value);
const toJson = (value: unknown): string => JSON.stringify(value, withBigints);
const fromJson = (text: string): unknown =>
  JSON.parse(text, (_key, value: unknown) => (typeof value === 'string' && /^-?\d+n$/.test(value) ? BigInt(value.slice(0, -1)) : value));
const sharesOf = (json: string): Share[] => fromJson(json) as Share[];

interface WithdrawalRow {
  readonly id: string;
  readonly order_json: string;
  readonly state: WithdrawalState;
  readonly tries: number;
}
interface EndedRow extends WithdrawalRow {
  readonly signature: string | null;
  readonly tokens: string | null;
  readonly reason: string | null;
  readonly epoch: number | null;
}
interface AttemptRow {
  readonly signature: string;
  readonly wire: Uint8Array;
  readonly last_valid: string;
  readonly shares_json: string;
  readonly state: Attempt['state'];
}
interface BatchRow {
  readonly marker: string;
  readonly epoch: number;
  readonly root: string;
  readonly shares_json: string;
}

const withdrawalOf = ({ order_json: json, state, tries }: WithdrawalRow): Withdrawal => ({ order: fromJson(json) as SignedOrder, state, tries });

export class Journal {
  readonly #db: Database.Database;

  private constructor(db: Database.Database) {
    this.#db = db;
    db.exec(schema);
  }

  /** `:memory:` for tests. Throws a plain sentence when another process has it. */
  static open(path: string): Journal {
    const db = new Database(path, { timeout: 0 });
    try {
      for (const pragma of ['locking_mode = EXCLUSIVE', 'journal_mode = WAL', 'synchronous = FULL', 'foreign_keys = ON']) db.pragma(pragma);
      db.exec('BEGIN EXCLUSIVE; COMMIT');
      return new Journal(db);
    } catch (error) {
      db.close();
      const busy = error instanceof Database.SqliteError && /^SQLITE_(BUSY|LOCKED)/.test(error.code);
      throw busy ? new Error(`${path} is in use by another settle process: one alone may pay out.`, { cause: error }) : error;
    }
  }

  close(): void {
    this.#db.close();
  }

  mark(name: string): string | null {
    const row = this.#db.prepare<[string], { value: string }>('select value from marks where name = ?').get(name);
    return row?.value ?? null;
  }

  setMark(name: string, value: string): void {
    this.#db.prepare('insert into marks (name, value) values (?, ?) on conflict (name) do update set value = excluded.value').run(name, value);
  }

  withdrawal(id: string): Withdrawal | null {
    const row = this.#db.prepare<[string], WithdrawalRow>('select * from withdrawals where id = ?').get(id);
    return row && row.order_json !== '' ? withdrawalOf(row) : null;
  }

  /** Takes an order, once. One that the chain says was paid (`recovered`) gets its order, and counts as paid. */
  take(order: SignedOrder): void {
    const write = this.#db.prepare(`
      insert into withdrawals (id, order_json, state) values (?, ?, 'waiting')
      on conflict (id) do update set order_json = excluded.order_json, told = 0 where order_json = ''`);
    write.run(order.id, toJson(order));
  }

  /** An order that must not be paid. */
  refuse(order: SignedOrder, reason: string): void {
    this.#db
      .prepare(`insert into withdrawals (id, order_json, state, reason) values (?, ?, 'failed', ?) on conflict (id) do nothing`)
      .run(order.id, toJson(order), reason);
  }

  /** Oldest first; those that failed with others come alone. */
  waiting(limit: number): Withdrawal[] {
    return this.#db.prepare<[number], WithdrawalRow>(`select * from withdrawals where state = 'waiting' order by seq limit ?`).all(limit).map(withdrawalOf);
  }

  /** Base units in batches that were made since then and did not fail. */
  tokensSince(ms: number): bigint {
    const row = this.#db
      .prepare<[number], { tokens: bigint }>(`select coalesce(sum(tokens), 0) as tokens from batches where created_ms >= ? and state <> 'failed'`)
      .safeIntegers()
      .get(ms);
    return row?.tokens ?? 0n;
  }

  /** Base units that open batches may still pay. */
  tokensOpen(): bigint {
    const row = this.#db.prepare<[], { tokens: bigint }>(`select coalesce(sum(tokens), 0) as tokens from batches where state = 'open'`).safeIntegers().get();
    return row?.tokens ?? 0n;
  }

  openBatch(marker: string, { epoch, root }: { readonly epoch: number; readonly root: string }, shares: readonly Share[], nowMs: number): void {
    const tokens = shares.reduce((sum, { amount }) => sum + amount, 0n);
    this.#db.transaction(() => {
      this.#db.prepare(`insert into batches values (?, ?, ?, ?, 'open', ?, ?)`).run(marker, epoch, root, toJson(shares), nowMs, tokens);
      for (const { id } of shares) {
        const { changes } = this.#db.prepare(`update withdrawals set state = 'batched', batch = ? where id = ? and state = 'waiting'`).run(marker, id);
        if (changes !== 1) throw new Error(`withdrawal ${id} is not waiting`);
      }
    })();
  }

  openBatches(): OpenBatch[] {
    const rows = this.#db.prepare<[], BatchRow>(`select marker, epoch, root, shares_json from batches where state = 'open' order by created_ms`).all();
    return rows.map(({ marker, epoch, root, shares_json }) => ({ marker, epoch, root, shares: sharesOf(shares_json), attempts: this.#attempts(marker) }));
  }

  #attempts(marker: string): Attempt[] {
    const rows = this.#db.prepare<[string], AttemptRow>('select * from attempts where batch = ? order by seq').all(marker);
    return rows.map(({ signature, wire, last_valid, shares_json, state }) => ({
      signature,
      wire: new Uint8Array(wire),
      lastValidBlockHeight: BigInt(last_valid),
      shares: sharesOf(shares_json),
      state,
    }));
  }

  /** Before its bytes leave this machine. */
  addAttempt(marker: string, { signature, wire, lastValidBlockHeight, shares }: Omit<Attempt, 'state'>): void {
    this.#db
      .prepare(`insert into attempts (signature, batch, wire, last_valid, shares_json, state) values (?, ?, ?, ?, ?, 'signed')`)
      .run(signature, marker, Buffer.from(wire), lastValidBlockHeight.toString(), toJson(shares));
  }

  setAttempt(signature: string, state: Attempt['state']): void {
    this.#db.prepare('update attempts set state = ? where signature = ?').run(state, signature);
  }

  /** The rest of the batch goes on without it. */
  setAside(marker: string, id: string): void {
    const batch = this.#db.prepare<[string], BatchRow>('select * from batches where marker = ?').get(marker);
    if (!batch) throw new Error(`there is no batch ${marker}`);
    const shares = sharesOf(batch.shares_json).filter((share) => share.id !== id);
    this.#db.transaction(() => {
      this.#db.prepare('update batches set shares_json = ? where marker = ?').run(toJson(shares), marker);
      this.#db.prepare(`update withdrawals set state = 'aside' where id = ? and batch = ? and state = 'batched'`).run(id, marker);
    })();
  }

  /** One attempt has landed: what it pays is paid, whatever else was in the batch comes again. */
  land(marker: string, { signature, shares }: Pick<Attempt, 'signature' | 'shares'>, triesMax: number): void {
    this.#db.transaction(() => {
      this.setAttempt(signature, 'landed');
      const pay = this.#db.prepare(`update withdrawals set state = 'paid', signature = ?, tokens = ? where id = ? and batch = ?`);
      for (const { id, amount } of shares) pay.run(signature, amount.toString(), id, marker);
      const tokens = shares.reduce((sum, { amount }) => sum + amount, 0n);
      this.#db.prepare(`update batches set state = 'landed', tokens = ? where marker = ?`).run(tokens, marker);
      this.#release(marker, triesMax);
    })();
  }

  /** Nothing of the batch can land any more. */
  fail(marker: string, triesMax: number): void {
    this.#db.transaction(() => {
      this.#db.prepare(`update batches set state = 'failed' where marker = ?`).run(marker);
      this.#release(marker, triesMax);
    })();
  }

  #release(marker: string, triesMax: number): void {
    this.#db
      .prepare(
        `update withdrawals set state = 'failed', reason = 'the wallet’s token account does not take it' where batch = ? and state = 'aside' and tries + 1 >= ?`,
      )
      .run(marker, triesMax);
    this.#db.prepare(`update withdrawals set state = 'waiting', tries = tries + 1, batch = null where batch = ? and state = 'aside'`).run(marker);
    this.#db.prepare(`update withdrawals set state = 'waiting', batch = null where batch = ? and state = 'batched'`).run(marker);
  }

  /** Paid by a transaction that the chain has and this journal did not know, or knew as open. Its amount is known once its order is. */
  recover(id: string, signature: string, opensAccount: boolean): void {
    this.#db
      .prepare(`
        insert into withdrawals (id, order_json, state, signature, tokens, told) values (?, '', 'paid', ?, ?, 1)
        on conflict (id) do update set state = 'paid', signature = excluded.signature, tokens = excluded.tokens, told = 0 where state <> 'paid'`)
      .run(id, signature, opensAccount ? 'opened' : 'whole');
  }

  /** Ended withdrawals that the coordinator was not told of. */
  untold(limit: number): Ended[] {
    const rows = this.#db
      .prepare<[number], EndedRow>(
        `select withdrawals.*, batches.epoch from withdrawals left join batches on batches.marker = withdrawals.batch
         where withdrawals.state in ('paid', 'failed') and told = 0 order by withdrawals.seq limit ?`,
      )
      .all(limit);
    return rows.map(({ id, order_json, state, signature, tokens, reason, epoch }): Ended => {
      if (state === 'failed') return { id, outcome: { kind: 'failed', reason: reason ?? 'no reason is known' } };
      const order = fromJson(order_json) as SignedOrder;
      const paid = tokens === 'whole' ? order.tokens : tokens === 'opened' ? order.tokens - order.openingTokens : BigInt(tokens ?? 0);
      return { id, outcome: { kind: 'paid', signature: signature ?? '', tokens: paid, epoch: epoch ?? 0 } };
    });
  }

  told(ids: readonly string[]): void {
    const write = this.#db.prepare('update withdrawals set told = 1 where id = ?');
    this.#db.transaction(() => {
      for (const id of ids) write.run(id);
    })();
  }
}
