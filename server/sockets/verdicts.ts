import type { ContributorId } from '../../shared/model.ts';
import type { VerdictMessage } from '../../shared/protocol.ts';
import type { Event } from '../core/state.ts';
import type { Store } from '../store/store.ts';
import { balancesOf } from './admit.ts';

type Verdict = Extract<Event, { type: 'verdict' }>;

export interface VerdictDeps {
  readonly store: Store;
  readonly log: { error(fields: object, message: string): void };
  readonly tell: (contributor: ContributorId, messages: readonly VerdictMessage[]) => void;
}

/** Verdicts of one commit come together: a contributor is told its own in one message, and its balances are looked up once. */
export class Verdicts {
  readonly #deps: VerdictDeps;
  #gathered = new Map<ContributorId, Verdict[]>();

  constructor(deps: VerdictDeps) {
    this.#deps = deps;
  }

  add(verdict: Verdict): void {
    if (this.#gathered.size === 0) setImmediate(() => this.#flush());
    const others = this.#gathered.get(verdict.contributor);
    if (others) others.push(verdict);
    else this.#gathered.set(verdict.contributor, [verdict]);
  }

  #flush(): void {
    const gathered = this.#gathered;
    this.#gathered = new Map();
    const { tell, log } = this.#deps;
    for (const [contributor, verdicts] of gathered)
      void this.#messages(contributor, verdicts).then(
        (messages) => tell(contributor, messages),
        (error: unknown) => log.error({ error: String(error), contributor }, 'a verdict could not be told'),
      );
  }

  async #messages(contributor: ContributorId, verdicts: readonly Verdict[]): Promise<VerdictMessage[]> {
    const balances = await balancesOf(this.#deps.store, contributor, verdicts.at(-1)!.owner);
    return verdicts.map(({ job, at, parts, state: verdict, reason, microCredits, voided }) => ({
      ...{ job, at, parts, verdict, reason },
      microCredits: microCredits.toString(),
      voidedMicroCredits: voided.toString(),
      ...balances,
    }));
  }
}
