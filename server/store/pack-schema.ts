import type { Generated } from 'kysely';
import type { ContributorId, JobId, OwnerId, ResultId, SiteId } from '../../shared/model.ts';

/** Results of one job that nothing changes any more, many in a row: `pack-format.ts` tells the layout of `data`, `ids` and `inline`. */
export interface ResultPacksTable {
  seq: Generated<number>;
  job: JobId;
  results: number;
  refuted: number;
  /** How many have `passes_wanted`. */
  measured: number;
  /** When the last of those that were refuted or dropped was; null: none was. */
  dropped_ms: number | null;
  /** Of its results; there may be others between them. */
  first_seq: number;
  last_seq: number;
  first_id: ResultId;
  last_id: ResultId;
  first_tile: number;
  last_tile: number;
  ids: Uint8Array;
  data: Uint8Array;
  inline: Uint8Array | null;
}

/** `PackAuthor` of a pack, with how many of its results are accepted, and between which numbers all of them lie. */
export interface ResultPackAuthorsTable {
  pack: number;
  place: number;
  contributor: ContributorId;
  owner: OwnerId;
  site: SiteId | null;
  accepted: number;
  first_seq: number;
  last_seq: number;
}

/** SHA-256 of the accepted results of a pack whose bytes are blobs, as long as those are needed. */
export interface ResultPackBlobsTable {
  pack: number;
  hash: Uint8Array;
}
