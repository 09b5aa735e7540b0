export interface Outcome {
  /** Handed in. */
  readonly tiles: number;
  readonly accepted: number;
  readonly refuted: number;
  readonly earnedMicroCredits: string;
}

/** Told of every change while it runs. */
export type Report = (outcome: Outcome) => void;
