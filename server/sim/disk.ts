import type { ContributorId, JobId, PartMask, ResultId } from '../../shared/model.ts';
import type { Standing } from '../core/reputation.ts';
import type { StoredJob, StoredResult, Write } from '../store/store.ts';
import { SimLedger } from './ledger.ts';

/** What a store would keep of the core's writes, for a coordinator that is killed and started again. */
export class Disk {
  readonly ledger = new SimLedger();
  readonly jobs = new Map<JobId, StoredJob>();
  readonly #results = new Map<ResultId, StoredResult>();
  readonly standings = new Map<ContributorId, Map<string, Standing>>();
  /** Accepted parts of open jobs, by tile. */
  readonly #accepted = new Map<string, PartMask>();

  /** Throws when a part counts twice: then two contributors are paid for it. */
  write(write: Write): void {
    switch (write.kind) {
      case 'result':
        this.#results.set(write.result.id, write.result);
        return;
      case 'verdict':
        this.#verdict(write);
        return;
      case 'opening':
        this.#change(write.id, { opening: write.opening });
        return;
      case 'secondDraw':
        this.#change(write.id, { round: 'second', evidence: write.evidence, drawn: write.drawn, opening: null });
        return;
      case 'measured':
        this.#change(write.id, { passesWanted: write.passesWanted });
        return;
      case 'transfer':
        this.ledger.apply(write.transfer);
        return;
      case 'settled':
        this.#change(write.id, { vesting: null });
        return;
      case 'jobClosing':
      case 'jobPaused':
      case 'shareClosed':
      case 'shareReopened':
      case 'shareReleased':
      case 'jobProgress':
      case 'proven':
      // A measurement that nothing reads to decide.
      case 'agreement':
        return;
      case 'jobEnded':
        this.jobs.delete(write.id);
        return;
      case 'standing':
        this.standings.set(write.contributor, (this.standings.get(write.contributor) ?? new Map()).set(write.workload, write.standing));
        return;
      default:
        throw new Error(`unknown write ${JSON.stringify(write satisfies never)}`);
    }
  }

  #change(id: ResultId, change: Partial<StoredResult>): void {
    const result = this.#results.get(id);
    if (result) this.#results.set(id, { ...result, ...change });
  }

  #verdict({ id, state, errorBound, vesting, evidence, atMs }: Write & { kind: 'verdict' }): void {
    const result = this.#results.get(id);
    if (!result) throw new Error(`a verdict about ${id}, which was never stored`);
    const key = `${result.job}/${result.at.pass}/${result.at.tile}`;
    const before = (this.#accepted.get(key) ?? 0) as PartMask;
    if (state === 'accepted') {
      if ((before & result.parts) !== 0) throw new Error(`parts ${before & result.parts} of ${key} were accepted twice`);
      this.#accepted.set(key, (before | result.parts) as PartMask);
    } else if (result.state === 'accepted') this.#accepted.set(key, (before & ~result.parts) as PartMask);
    this.#results.set(id, { ...result, state, errorBound, vesting, evidence, decidedMs: atMs });
  }

  /** Results of an open job that still matter. */
  results(job: JobId): StoredResult[] {
    return [...this.#results.values()].filter((result) => result.job === job && (result.state === 'committed' || result.state === 'accepted'));
  }

  vesting(): StoredResult[] {
    return [...this.#results.values()].filter(({ state, vesting }) => state === 'accepted' && vesting !== null);
  }

  /** Forgets what nobody asks for any more: long runs would fill the memory. */
  compact(): void {
    for (const [id, { job, state, vesting }] of this.#results)
      if (state === 'refuted' || state === 'discarded' || (vesting === null && state === 'accepted' && !this.jobs.has(job))) this.#results.delete(id);
    for (const key of this.#accepted.keys()) if (!this.jobs.has(key.slice(0, key.indexOf('/')) as JobId)) this.#accepted.delete(key);
  }
}
