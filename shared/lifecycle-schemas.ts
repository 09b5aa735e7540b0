import { type Static, Type } from 'typebox';

/** What crosses a wire about a job's life after it was ordered. Part of schemas.ts, which exports it. */

const closed = { additionalProperties: false } as const;
const microCredits = Type.String({ pattern: '^-?[0-9]{1,30}$' });
const moment = Type.Union([Type.Number(), Type.Null()]);

/**
 * `public`: listed. `unlisted`: for whoever has the link. `private`: there for its requester alone, and for the members of a group where it is for them only.
 * None of them keeps the inputs from the contributors who compute it.
 */
export const visibility = Type.Union([Type.Literal('public'), Type.Literal('unlisted'), Type.Literal('private')]);
export type Visibility = Static<typeof visibility>;

export const checksDone = Type.Object({
  /** Elements recomputed, by whom. */
  cpu: Type.Integer(),
  trusted: Type.Integer(),
  contributor: Type.Integer(),
  /** Results that were proven wrong, and results taken back because their contributor was. */
  refuted: Type.Integer(),
  revoked: Type.Integer(),
  /** Expected share of wrong elements among those accepted so far, at most. */
  errorBound: Type.Number(),
});
export type ChecksDone = Static<typeof checksDone>;

/** Members of `JobView`. */
export const jobLifecycle = {
  visibility,
  /** Open, and nothing of it is leased until it is resumed. */
  paused: Type.Boolean(),
  /** How often it was extended. */
  extensions: Type.Integer(),
  /** When the bytes of its results, files and inputs are deleted, milliseconds since 1970; null while it is open, and when they are gone. */
  keptUntilMs: moment,
  /** Since when they are gone; its figures and what its receipt needs stay. */
  deletedMs: moment,
};

export const visibilityRequest = Type.Object({ visibility }, closed);

/** Parameters to raise, by the names of `WorkloadSpec.extension`. */
export const extensionRequest = Type.Object(
  {
    params: Type.Record(Type.String({ pattern: '^[a-z][a-zA-Z0-9]{0,39}$' }), Type.Unknown(), { minProperties: 1, maxProperties: 8 }),
    /** The price that was agreed to: should it be more by now, nothing happens. */
    holdMicroCreditsMax: Type.Optional(microCredits),
  },
  closed,
);
export type ExtensionRequest = Static<typeof extensionRequest>;

/** What an extension would cost, over what the job has cost. */
export const extensionQuote = Type.Object({
  /** Of these, those that are there already cost nothing. */
  parts: Type.Integer(),
  freshParts: Type.Integer(),
  workMicroCredits: microCredits,
  /** Set aside for auditors; what is not needed comes back. */
  checksMicroCredits: microCredits,
  /** Held: the sum. */
  holdMicroCredits: microCredits,
});
export type ExtensionQuote = Static<typeof extensionQuote>;

/** A file that a job ends in. It is made when somebody first asks for it. */
export const jobFile = Type.Object({
  output: Type.String({ description: 'Names it in `GET /api/jobs/{job}/files/{output}`.' }),
  title: Type.String(),
  mediaType: Type.String(),
  extension: Type.String({ description: 'Of the file, without the dot.' }),
  large: Type.Optional(Type.Boolean({ description: 'May be gigabytes.' })),
  bytes: Type.Union([Type.Integer(), Type.Null()], { description: 'Null until it has been made.' }),
});
export type JobFile = Static<typeof jobFile>;
