import { type Static, Type } from 'typebox';

/** How the network does: `GET /api/network`. Part of schemas.ts, which exports it. */

const share = Type.Union([Type.Number({ minimum: 0, maximum: 1 }), Type.Null()]);
const microCredits = Type.String({ pattern: '^-?[0-9]{1,30}$' });

/** `since`: leaves out of both series what had ended by then, which the page has already. */
export const networkQuery = Type.Object({ since: Type.Optional(Type.Integer({ minimum: 0 })) }, { additionalProperties: false });

/**
 * Samples of one span, oldest first, in columns of equal length. A span of which there is no sample is a gap: the coordinator did not run.
 * What is accepted is counted when it is; what is taken back later stays counted.
 */
export const networkSeries = Type.Object({
  /** Length of a span: a minute or an hour. */
  spanMs: Type.Integer(),
  /** When each began, milliseconds since 1970. */
  atMs: Type.Array(Type.Integer()),
  /** Connected, in the mean. */
  contributors: Type.Array(Type.Number()),
  /** Accepted; a tile that came in parts counts by its parts. */
  tiles: Type.Array(Type.Number()),
  /** Verified work: one unit is a second of the reference GPU. */
  units: Type.Array(Type.Number()),
  /** Share of the accepted elements that was computed again by checks; null where nothing was accepted. */
  recomputed: Type.Array(share),
  /** Expected share of wrong elements among the accepted ones, at most; null where nothing was accepted. */
  errorBound: Type.Array(share),
  /** Test credits paid to contributors and auditors, less what was voided. */
  paidMicroCredits: Type.Array(microCredits),
});
export type NetworkSeries = Static<typeof networkSeries>;

export const networkNow = Type.Object({
  atMs: Type.Number(),
  contributors: Type.Integer(),
  /** By `vendor/architecture`, as devices say; the rare ones together as `other`. Largest first. */
  classes: Type.Array(Type.Object({ name: Type.String(), contributors: Type.Integer() })),
  /** Accepted in the last minute, a second. */
  tilesPerSecond: Type.Number(),
  unitsPerSecond: Type.Number(),
  openJobs: Type.Integer(),
  /** Parts of open jobs that nobody works on. */
  partsWaiting: Type.Integer(),
  /** Of the last 24 hours, as in the series. */
  errorBound: share,
  recomputed: share,
  paidMicroCredits: microCredits,
  /** Why the operator has paused the network; null while it runs. */
  paused: Type.Union([Type.String(), Type.Null()]),
});
export type NetworkNow = Static<typeof networkNow>;

/** `minutes` of the last 24 hours, `hours` of the last 30 days. */
export const networkView = Type.Object({ now: networkNow, minutes: networkSeries, hours: networkSeries });
export type NetworkView = Static<typeof networkView>;
