import { limits } from '../shared/limits.ts';
import type { ContributorId, SiteId } from '../shared/model.ts';
import { jobAccount } from './core/ledger.ts';
import { dayOf } from './core/sites.ts';
import type { Command, Event, State } from './core/state.ts';
import type { Store } from './store/store.ts';

export interface RecallDeps {
  readonly store: Store;
  readonly clock: () => number;
  readonly log: { error(fields: object, message: string): void };
  readonly state: () => State;
  readonly step: (command: Command) => readonly Event[];
  readonly announce: (events: readonly Event[]) => void;
}

/** Reads back from the store what the core has to know. */
export class Recall {
  readonly #deps: RecallDeps;

  constructor(deps: RecallDeps) {
    this.#deps = deps;
  }

  async load(isShared: boolean): Promise<void> {
    const { store, log } = this.#deps;
    if (isShared) return this.#loadShared();
    const vesting = await store.jobs.vesting();
    for (const { contributor } of vesting) await this.remember(contributor);
    this.#deps.step({ type: 'restoreVesting', results: vesting });
    for (const job of await store.jobs.list({ status: 'open', limit: Number.MAX_SAFE_INTEGER })) {
      const results = await store.jobs.results(job.id);
      for (const { contributor, state } of results) if (state === 'committed') await this.remember(contributor);
      const paid = job.workHeld + job.checksHeld - (await store.ledger.balance(jobAccount(job.id), job.unit));
      const refuted = await store.jobs.countRefuted(job.id);
      const events = this.#deps.step({ type: 'openJob', job, results, paid, refuted });
      const refused = events.find((event) => event.type === 'refused');
      if (refused) log.error({ job: job.id }, refused.message);
      // Whatever a reload decides (a job whose last verdict was stored, but not its end) is committed before it is acted on.
      await store.commit(events.flatMap((event) => (event.type === 'write' ? [event.write] : [])));
      this.#deps.announce(events);
    }
  }

  /** Nothing of any job is here yet: `Sharing` claims it. */
  async #loadShared(): Promise<void> {
    const { store, log } = this.#deps;
    for (const job of await store.jobs.list({ status: 'open', limit: Number.MAX_SAFE_INTEGER })) {
      const refused = this.#deps.step({ type: 'joinJob', job }).find((event) => event.type === 'refused');
      if (refused) log.error({ job: job.id }, refused.message);
    }
  }

  /** Verdicts of reloaded results need the contributor's record, owner and site share, whether it comes back or not. */
  async remember(id: ContributorId): Promise<void> {
    if (this.#deps.state().contributors.has(id)) return;
    const { store } = this.#deps;
    const stored = await store.people.contributor(id);
    if (!stored) return;
    const sites = (await store.people.consentsOfContributor(id)).flatMap(({ site }) => site ?? []);
    for (const site of new Set(sites)) await this.openSite(site);
    const standings = await store.people.standings(id);
    // It came itself while this was read: it is here, and must not be made to leave.
    if (this.#deps.state().contributors.has(id)) return;
    const contributor = {
      id,
      owner: stored.owner,
      site: sites[0] ?? null,
      // Known again when it comes back; until then it neither works nor audits.
      network: null,
      deviceClass: null,
      trusted: false,
      drill: false,
      kinds: new Set<string>(),
      downloadBytesMax: limits.downloadBytesDefault,
      standings,
    };
    this.#deps.step({ type: 'join', contributor });
    this.#deps.step({ type: 'leave', contributor: id });
  }

  /** Before anybody who came by this site joins: what it has got so far bounds what it may get today. */
  async openSite(id: SiteId): Promise<void> {
    if (this.#deps.state().sites.has(id)) return;
    const { store, clock } = this.#deps;
    const site = await store.people.site(id);
    if (!site) return;
    const day = dayOf(clock());
    const [test, credit] = await Promise.all((['test', 'credit'] as const).map((unit) => store.ledger.receivedByDay(`site/${id}`, unit, day)));
    if (!test || !credit) throw new Error('unreachable');
    const { owner, network, sharePercent } = site;
    this.#deps.step({ type: 'openSite', site: id, book: { owner, network, sharePercent, day, days: { test, credit } } });
  }
}
