import { SECOND_MS } from '../shared/limits.ts';
import type { ContributorId, JobId } from '../shared/model.ts';
import type { Finish } from '../shared/schemas.ts';
import { type Everywhere, onlyHere } from './core/everywhere.ts';
import { inputBytesOf } from './core/fetching.ts';
import { recordNameOf, requesterTag } from './core/offer.ts';
import { outlookOf, outlookOfJob } from './core/outlook.ts';
import type { Job, State } from './core/state.ts';
import type { Quoted } from './quoted.ts';

/** An estimate of an open job is told again for so long: lists of jobs ask for many at once. */
const KEPT_MS = 2 * SECOND_MS;

/** Who could do a job, and when it will be done. */
export class Estimates {
  readonly #state: () => State;
  readonly #clock: () => number;
  readonly #kept = new WeakMap<Job, { readonly finish: Finish | null; readonly untilMs: number }>();
  #everywhere: Everywhere = onlyHere;

  constructor(state: () => State, clock: () => number) {
    this.#state = state;
    this.#clock = clock;
  }

  /** From here on other coordinators' contributors count, and what they have done of jobs. */
  lookAt(everywhere: Everywhere): void {
    this.#everywhere = everywhere;
  }

  /** Of an open job, which share of its parts is accepted. */
  progressOf(job: Job): number {
    return this.#everywhere.progress(job);
  }

  /** Of a job that is being quoted. `contributors` and `unitsPerSecond`: of the whole network, who could take it. */
  ofOrder({ spec, context, grid, price, inputs, owner, group }: Quoted): { finish: Finish | null; contributors: number; unitsPerSecond: number } {
    const [state, now] = [this.#state(), this.#clock()];
    const ratePerUnit = (price.work * 1_000_000n) / BigInt(Math.max(1, Math.round(price.units)));
    const asked = {
      spec,
      stored: { id: context.id, owner, group, gallery: false, ratePerUnit, createdMs: now },
      record: recordNameOf({ workload: spec.id, group }),
      requester: requesterTag(state.config.drawKey, owner),
      inputBytes: inputBytesOf({ inputs }),
      fetchedBy: new Set<ContributorId>(),
      parts: price.parts,
      unitsPerPart: price.units / Math.max(1, price.parts),
      partsPerTile: price.parts / Math.max(1, grid.tiles * grid.passes),
      elementsPerPart: spec.elements(context, { pass: 0, tile: 0 }),
    };
    const { finish, contributors, speed } = outlookOf(state, asked, now, this.#everywhere);
    return { finish, contributors, unitsPerSecond: (speed * SECOND_MS) / 1e6 };
  }

  /** Of what is left of an open job; null while nobody could do it, or it stands still. */
  ofJob(id: JobId): Finish | null {
    const [state, now] = [this.#state(), this.#clock()];
    const job = state.jobs.get(id);
    if (!job || job.paused || job.closing || state.halted !== null) return null;
    const kept = this.#kept.get(job);
    if (kept && kept.untilMs > now) return kept.finish;
    const { finish } = outlookOfJob(state, job, now, this.#everywhere);
    this.#kept.set(job, { finish, untilMs: now + KEPT_MS });
    return finish;
  }
}
