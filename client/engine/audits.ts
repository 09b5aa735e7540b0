import type { Answered, AuditLease } from '../../shared/protocol.ts';
import { Refused } from './api.ts';
import type { Clock } from './clock.ts';
import { type Connection, wireBytes } from './connection.ts';
import { Deliveries, type Delivery } from './deliveries.ts';

interface Answer extends Delivery {
  readonly audit: AuditLease;
  readonly values: Uint8Array<ArrayBuffer>;
  readonly computeMs: number;
}

export interface AuditDeps {
  readonly connection: Pick<Connection, 'call'>;
  readonly clock: Pick<Clock, 'now'>;
  readonly signal: AbortSignal;
  /** Reserves room for leases to ask for with an answer. `unask` gives back what an unanswered message reserved. */
  readonly ask: () => number;
  readonly unask: (asked: number) => void;
  readonly answered: (answer: Answered, asked: number) => void;
  /** The answer is not wanted, and not tried again. */
  readonly refused: (error: Refused) => void;
}

/** Audits of this engine: those not begun, the one at work, and answers on their way, kept until they are acknowledged or refused. */
export class Audits {
  readonly #deps: AuditDeps;
  #queue: AuditLease[] = [];
  #current: { readonly audit: AuditLease; readonly cancel: AbortController } | null = null;
  readonly #deliveries: Deliveries<Answer>;

  constructor(deps: AuditDeps) {
    this.#deps = deps;
    this.#deliveries = new Deliveries(deps.clock, (answer) => this.#deliver(answer));
  }

  /** Not begun, in the order they came. */
  get queue(): readonly AuditLease[] {
    return this.#queue;
  }

  get current(): AuditLease | null {
    return this.#current?.audit ?? null;
  }

  /** Of all that nobody has an answer to yet. */
  get tokens(): string[] {
    const answered = this.#deliveries.items.map(({ audit }) => audit);
    return [...this.#queue, ...(this.#current ? [this.#current.audit] : []), ...answered].map(({ token }) => token);
  }

  add(audit: AuditLease): void {
    this.#queue.push(audit);
  }

  /** The signal aborts when the audit is taken back. Ends with `answer` or `end`. */
  begin(audit: AuditLease): AbortSignal {
    const cancel = new AbortController();
    this.#queue = this.#queue.filter((other) => other !== audit);
    this.#current = { audit, cancel };
    return cancel.signal;
  }

  /** The one at work is at work no longer. */
  end(): void {
    this.#current = null;
  }

  /** To be begun again, before all others. */
  requeue(audit: AuditLease): void {
    this.#queue = [audit, ...this.#queue.filter((other) => other !== audit)];
  }

  answer(audit: AuditLease, values: Uint8Array<ArrayBuffer>, computeMs: number): void {
    this.#deliveries.add({ audit, values, computeMs, sizeBytes: values.byteLength, cancel: new AbortController() });
  }

  /** Ends the one at work. Returns it. */
  interrupt(reason: string): readonly AuditLease[] {
    if (!this.#current) return [];
    const { audit, cancel } = this.#current;
    cancel.abort(new Error(reason));
    return [audit];
  }

  /** Forgets those that the coordinator has taken back. */
  drop(tokens: ReadonlySet<string>, reason: string): void {
    this.#queue = this.#queue.filter(({ token }) => !tokens.has(token));
    if (this.#current && tokens.has(this.#current.audit.token)) this.interrupt(reason);
    for (const { audit, cancel } of this.#deliveries.items) if (tokens.has(audit.token)) cancel.abort(new Error(reason));
  }

  /** Of what was not begun, holds this no longer, or all of it. Returns it. */
  removeQueue(goes: (audit: AuditLease) => boolean = () => true): readonly AuditLease[] {
    const removed = this.#queue.filter(goes);
    this.#queue = this.#queue.filter((audit) => !removed.includes(audit));
    return removed;
  }

  /** Resolves when every answer has been acknowledged. */
  delivered(signal: AbortSignal): Promise<void> {
    return this.#deliveries.delivered(signal);
  }

  async #deliver({ audit, values, computeMs, cancel }: Answer): Promise<void> {
    const { connection, signal, ask, unask, answered, refused } = this.#deps;
    const either = AbortSignal.any([signal, cancel.signal]);
    let asked = 0;
    try {
      const message = () => {
        unask(asked);
        asked = ask();
        return { token: audit.token, values: wireBytes(values), computeMs, leasesMax: asked };
      };
      answered(await connection.call('answer', message, either), asked);
    } catch (error) {
      if (!(error instanceof Refused) && !either.aborted) throw error;
      unask(asked);
      if (error instanceof Refused) refused(error);
    }
  }
}
