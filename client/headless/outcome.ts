export interface Outcome {
  /** Handed in. */
  readonly tiles: number;
  readonly accepted: number;
  readonly refuted: number;
  /** Never judged: not opened, or taken back with others. */
  readonly discarded: number;
  /** Audits answered. */
  readonly audits: number;
  readonly earnedMicroCredits: string;
  /** Paid, but voided should this contributor be proven wrong soon. */
  readonly vestingMicroCredits: string;
}

/** Told of every change while it runs. */
export type Report = (outcome: Outcome) => void;
