import { damageOf } from '../../shared/damage.ts';
import { type Auditor, partsOf } from '../../shared/model.ts';
import type { Submission } from './policy.ts';
import { ELEMENTS, PARTS, TILE_WIDTH } from './spec.ts';
import { GPU_MS_PER_ELEMENT, GPU_TO_CPU } from './values.ts';

/** Why computed elements were of no use. */
type Loss = 'refuted' | 'discarded' | 'revoked' | 'abandoned' | 'conflict';

/** Everything in (part, element)s unless it says otherwise. Its ratios are defined in README.md. */
export class Tally {
  useful = 0;
  readonly lost: Record<Loss, number> = { refuted: 0, discarded: 0, revoked: 0, abandoned: 0, conflict: 0 };
  /** Recomputed by auditors, computed again as replicas that agreed, and computed as spot-checks. */
  readonly checked: Record<Auditor | 'replica' | 'spotCheck', number> = { cpu: 0, trusted: 0, contributor: 0, replica: 0, spotCheck: 0 };
  /** Of the coordinator's cores. */
  cpuMs = 0;
  /** Results of honest contributors with a verdict, in elements; and how often an honest contributor was told it lied. */
  judgedHonest = 0;
  falseAccusations = 0;
  /** Honest results that nobody could judge. */
  honestDiscarded = 0;
  /** Speed times milliseconds, of honest devices: here, and computing something. */
  present = 0;
  busy = 0;
  readonly #accepted = new Set<Submission>();

  /** Only lies are remembered. */
  accepted(submission: Submission): void {
    this.useful += submission.size;
    if (submission.result && !submission.grant.job.own) this.#accepted.add(submission);
  }

  revoked(submission: Submission): void {
    this.useful -= submission.size;
    this.lost.revoked += submission.size;
    this.#accepted.delete(submission);
  }

  /** Wrong (part, element)s among the accepted ones, and the largest connected wrong patch of one tile, in pixels. */
  damage(): { wrong: number; patch: number } {
    let wrong = 0;
    const tiles = new Map<string, Uint8Array>();
    for (const { grant, result } of this.#accepted) {
      const key = `${grant.job.id}/${grant.at.pass}/${grant.at.tile}`;
      const picture = tiles.get(key) ?? new Uint8Array(ELEMENTS);
      tiles.set(key, picture);
      for (const part of partsOf(grant.parts))
        for (let element = 0; element < ELEMENTS; element++) {
          if (!result!.wrong(part, element)) continue;
          wrong++;
          picture[element] = 1;
        }
    }
    let patch = 0;
    for (const picture of tiles.values()) patch = Math.max(patch, damageOf(picture, TILE_WIDTH).patch);
    return { wrong, patch };
  }

  figures() {
    const { wrong, patch } = this.damage();
    const useful = Math.max(1, this.useful);
    const sum = (counts: Readonly<Record<string, number>>): number => Object.values(counts).reduce((total, count) => total + count, 0);
    const tiles = useful / (ELEMENTS * PARTS);
    const judged = this.judgedHonest / (ELEMENTS * PARTS);
    // What the CPU does besides recomputing (openings, refereeing), as elements of the reference GPU.
    const otherCpu = Math.max(0, this.cpuMs / GPU_TO_CPU / GPU_MS_PER_ELEMENT - this.checked.cpu);
    return {
      overhead: 1 + (sum(this.checked) + otherCpu) / useful,
      wasted: 1 + sum(this.lost) / useful,
      cpuMsPerTile: this.cpuMs / tiles,
      overheadCpu: 1 + this.cpuMs / GPU_TO_CPU / (useful * GPU_MS_PER_ELEMENT),
      cpuSecondsPerGpuSecond: this.cpuMs / (useful * GPU_MS_PER_ELEMENT),
      wrongShare: wrong / useful,
      patch,
      falseAccusations: judged === 0 ? 0 : (this.falseAccusations * 1e6) / judged,
      honestDiscarded: judged === 0 ? 0 : this.honestDiscarded / this.judgedHonest,
      tiles,
      idle: this.present === 0 ? 0 : 1 - this.busy / this.present,
      checkedShare: shares(this.checked, useful),
      lostShare: shares(this.lost, useful),
    };
  }
}

const shares = <K extends string>(counts: Readonly<Record<K, number>>, of: number): Record<K, number> =>
  Object.fromEntries(Object.entries<number>(counts).map(([name, count]) => [name, count / of])) as Record<K, number>;
