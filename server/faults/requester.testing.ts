import type { JobId } from '../../shared/model.ts';
import { holds } from '../core/ledger.ts';
import { issuedJob } from '../order.testing.ts';
import type { StoredJob } from '../store/store.ts';
import type { Machine } from './machine.testing.ts';
import type { PlannedJob } from './plan.testing.ts';
import { sleep } from './time.testing.ts';
import { jobIdOf, RATE, spec } from './work.testing.ts';

const ANSWER_MS_MAX = 2500;
const AGAIN_MS = 300;

const jobOf = (id: JobId, seed: number, { passes, tiles }: PlannedJob): StoredJob =>
  issuedJob(spec, { id, seed, params: { passes, tiles }, prepared: {} }, RATE);

/** Orders a job, and cancels it later where that is planned. Repeats what was not answered, perhaps at another coordinator, as a request with an idempotency key does. */
export class Requester {
  readonly id: JobId;
  readonly planned: PlannedJob;
  readonly #machines: readonly Machine[];
  readonly #choose: (count: number) => number;
  readonly #log: (what: string) => void;
  /** It was told that it is cancelled. */
  isCancelled = false;
  isDone = false;

  constructor(number: number, planned: PlannedJob, machines: readonly Machine[], choose: (count: number) => number, log: (what: string) => void) {
    this.id = jobIdOf(number);
    this.planned = planned;
    this.#machines = machines;
    this.#choose = choose;
    this.#log = log;
  }

  async run(seed: number): Promise<void> {
    await sleep(this.planned.atMs);
    const job = jobOf(this.id, seed, this.planned);
    await this.#insist(async ({ store, coordinator }) => {
      // As `Jobs.submit` and `Jobs.submitted` do.
      const known = await store.jobs.get(job.id);
      if (!known) {
        await store.jobs.create(job, holds(job));
        await coordinator.begin(job);
      } else if (known.status === 'open' && !coordinator.openJob(job.id)) await coordinator.begin(known);
      return true;
    });
    this.#log(`${this.id} is ordered: ${this.planned.passes} x ${this.planned.tiles} tiles`);
    if (this.planned.cancelMs !== null) await this.#cancel(this.planned.cancelMs);
    this.isDone = true;
  }

  async #cancel(afterMs: number): Promise<void> {
    await sleep(afterMs);
    this.isCancelled = await this.#insist(async ({ store, coordinator }) => {
      if ((await store.jobs.get(this.id))?.status !== 'open') return false;
      const events = await coordinator.dispatch({ type: 'cancelJob', job: this.id });
      const refused = events.find((event) => event.type === 'refused');
      if (refused) throw new Error(refused.message);
      return true;
    });
    this.#log(`${this.id} is ${this.isCancelled ? 'cancelled' : 'over before it could be cancelled'}`);
  }

  async #insist<T>(what: (at: NonNullable<Machine['running']>) => Promise<T>): Promise<T> {
    for (;;) {
      const running = this.#machines[this.#choose(this.#machines.length)]?.running;
      const late = sleep(ANSWER_MS_MAX).then(() => undefined);
      const answer =
        running && (await Promise.race([what(running).then((value) => ({ value })), late]).catch((error) => void this.#log(`${this.id}: ${error}`)));
      if (answer) return answer.value;
      await sleep(AGAIN_MS);
    }
  }
}
