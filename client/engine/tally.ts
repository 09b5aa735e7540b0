import type { JobId, PartMask, TileRef, Verdict } from '../../shared/model.ts';
import type { VerdictMessage } from '../../shared/protocol.ts';

const SECONDS = 60;

/** Events a minute over the last minute, in buckets of a second. */
export class Meter {
  readonly #buckets = new Array<number>(SECONDS).fill(0);
  readonly #startMs: number;
  #second = 0;

  constructor(nowMs: number) {
    this.#startMs = nowMs;
  }

  add(nowMs: number): void {
    this.#advance(nowMs);
    this.#buckets[this.#second % SECONDS]! += 1;
  }

  perMinute(nowMs: number): number {
    this.#advance(nowMs);
    const count = this.#buckets.reduce((sum, bucket) => sum + bucket, 0);
    const seconds = Math.min(SECONDS, Math.max(1, (nowMs - this.#startMs) / 1000));
    return (count * 60) / seconds;
  }

  #advance(nowMs: number): void {
    const second = Math.floor((nowMs - this.#startMs) / 1000);
    for (let at = Math.max(this.#second, second - SECONDS) + 1; at <= second; at++) this.#buckets[at % SECONDS] = 0;
    this.#second = Math.max(this.#second, second);
  }
}

interface Standing {
  /** Parts that the coordinator has stored and no verdict has named yet. */
  open: number;
  /** Leases of it of which all parts are stored. */
  complete: number;
  /** The worst so far. */
  verdict: Verdict;
}

const gravity: Readonly<Record<Verdict, number>> = { accepted: 0, discarded: 1, refuted: 2 };

/** Tiles whose verdict never comes (their job was cancelled) are forgotten in the order they came. */
const STANDINGS_MAX = 4096;

/**
 * Counts leases, whole tiles as a rule, by the worst verdict on any part of their tile that is open with theirs. Verdicts name parts, may arrive in any
 * order, and before the acknowledgement of the hand-in they judge.
 */
export class Tally {
  handedIn = 0;
  accepted = 0;
  refuted = 0;
  discarded = 0;
  readonly #standings = new Map<string, Standing>();

  /** `complete`: nothing of the lease is missing any more. */
  stored(job: JobId, at: TileRef, parts: PartMask, complete: boolean): void {
    const standing = this.#standing(job, at);
    standing.open ^= parts;
    if (complete) {
      standing.complete++;
      this.handedIn++;
    }
    this.#close(job, at, standing);
  }

  verdict({ job, at, parts, verdict }: VerdictMessage): void {
    const standing = this.#standing(job, at);
    // Exclusive or: a verdict that overtakes its acknowledgement leaves a mark which that one removes.
    standing.open ^= parts;
    if (gravity[verdict] > gravity[standing.verdict]) standing.verdict = verdict;
    this.#close(job, at, standing);
  }

  #close(job: JobId, at: TileRef, standing: Standing): void {
    if (standing.complete === 0 || standing.open !== 0) return;
    this[standing.verdict] += standing.complete;
    this.#standings.delete(keyOf(job, at));
  }

  #standing(job: JobId, at: TileRef): Standing {
    const key = keyOf(job, at);
    let standing = this.#standings.get(key);
    if (!standing) {
      standing = { open: 0, complete: 0, verdict: 'accepted' };
      this.#standings.set(key, standing);
      if (this.#standings.size > STANDINGS_MAX) this.#standings.delete(this.#standings.keys().next().value!);
    }
    return standing;
  }
}

const keyOf = (job: JobId, at: TileRef): string => `${job}/${at.pass}/${at.tile}`;
