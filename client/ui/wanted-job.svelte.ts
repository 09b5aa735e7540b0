import type { JobId } from '../../shared/model.ts';

export interface WantedJob {
  readonly id: JobId;
  readonly title: string;
}

/** The job that this visitor wants to help before all others: picked in one place, heeded by who shares. Until the page is closed. */
class Wanted {
  #job = $state.raw<WantedJob | null>(null);

  get job(): WantedJob | null {
    return this.#job;
  }
  set job(job: WantedJob | null) {
    this.#job = job;
  }
}

export const wanted = new Wanted();
