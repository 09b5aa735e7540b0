import type { Generated } from 'kysely';
import type { JobId } from '../../shared/model.ts';
import type { NoticeKind } from './sharing-store.ts';

/** `epoch`: one life of a coordinator. Fenced: taken for dead; nothing of it is stored any more. */
export interface CoordinatorsTable {
  epoch: number;
  /** By the database's clock. */
  alive_until_ms: number;
  fenced: number;
}

export interface BlocksTable {
  job: JobId;
  number: number;
  first: number;
  count: number;
  checks_held: bigint;
  /** The epoch of who sees to it. */
  owner: number | null;
  /** 0: nobody has had it. 1: somebody has, or had until it died. 2: somebody had, and gave it back. */
  touched: number;
  closed: number;
  /** `ShareFigures`: of all that this epoch had closed of the job, in one of its blocks; or of a block that it gave back, until it is claimed. */
  figures_epoch: number | null;
  figures_json: string | null;
}

/** How far each coordinator is with its share of an open job, as of a moment ago. */
export interface SharesTable {
  job: JobId;
  epoch: number;
  figures_json: string;
}

export interface NoticesTable {
  seq: Generated<number>;
  /** Of who tells it. */
  epoch: number;
  kind: NoticeKind;
  subject: string;
  at_ms: number;
}
