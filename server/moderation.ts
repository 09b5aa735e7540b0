import type { BlobHash, JobId, OwnerId } from '../shared/model.ts';
import { InputError } from '../shared/workload.ts';
import { JobError } from './jobs.ts';
import type { JobDecision } from './store/moderation.ts';
import type { Store, StoredJob } from './store/store.ts';

/**
 * What the operator has decided about jobs and files, in memory, because every look at a job and every file asks. There are few
 * decisions; jobs without one are not in it. `Operating` changes it, after the store.
 */
export class Moderation {
  #decisions: Map<JobId, JobDecision>;
  #banned: Map<BlobHash, string>;

  private constructor(decisions: readonly JobDecision[], banned: readonly { readonly hash: BlobHash; readonly reason: string }[]) {
    this.#decisions = new Map(decisions.map((decision) => [decision.job, decision]));
    this.#banned = new Map(banned.map(({ hash, reason }) => [hash, reason]));
  }

  static async open({ moderation }: Pick<Store, 'moderation'>): Promise<Moderation> {
    return new Moderation(await moderation.decisions(), await moderation.bannedHashes());
  }

  /** An operator has decided something at another coordinator. */
  async reload({ moderation }: Pick<Store, 'moderation'>): Promise<void> {
    const fresh = await Moderation.open({ moderation });
    this.#decisions = fresh.#decisions;
    this.#banned = fresh.#banned;
  }

  decide(decision: JobDecision): void {
    this.#decisions.set(decision.job, decision);
  }

  ban(hash: BlobHash, reason: string): void {
    this.#banned.set(hash, reason);
  }

  liftBan(hash: BlobHash): void {
    this.#banned.delete(hash);
  }

  decisionOn(job: JobId): JobDecision | undefined {
    return this.#decisions.get(job);
  }

  isTakenDown(job: JobId): boolean {
    return (this.#decisions.get(job)?.takenDownMs ?? null) !== null;
  }

  get takenDown(): JobId[] {
    return [...this.#decisions.values()].flatMap(({ job, takenDownMs }) => (takenDownMs === null ? [] : [job]));
  }

  isBanned(hash: BlobHash): boolean {
    return this.#banned.has(hash);
  }

  /** Throws `InputError` for a file of a request, or what was made of its files, that the operator does not accept. */
  refuseBanned(files: Readonly<Record<string, BlobHash>>, inputs: StoredJob['inputs'] = []): void {
    const [first = ''] = Object.keys(files);
    const given = [...Object.entries(files), ...inputs.map(({ hash }) => [first, hash] as const)];
    for (const [name, hash] of given) {
      const reason = this.#banned.get(hash);
      if (reason !== undefined)
        throw new InputError(`files.${name}`, `The operator does not accept this file; the page /policy says what is not accepted. Reason given: ${reason}`);
    }
  }

  /** Throws `JobError`: its requester is told why, to everybody else it is as if it had never been. */
  refuseTakenDown({ id, owner: requester }: Pick<StoredJob, 'id' | 'owner'>, owner: OwnerId | undefined): void {
    const decision = this.#decisions.get(id);
    if (!decision || decision.takenDownMs === null) return;
    if (owner !== requester) throw new JobError('not_found', 'There is no such job.');
    throw new JobError('forbidden', `The operator has taken this job down; what was not used of its credits comes back. Reason given: ${decision.reason}`);
  }
}
