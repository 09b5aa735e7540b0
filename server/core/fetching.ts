import { limits, SECOND_MS } from '../../shared/limits.ts';
import type { StoredJob } from '../store/store.ts';
import type { Contributor, Job } from './state.ts';

/** A job's inputs have to be downloaded before anything of it can be computed: who takes that on, and how long it may take. */

/** Of a line that is slow but not unusually so: 10 Mbit/s. */
const SLOW_LINE_BYTES_PER_SECOND = 1_250_000;
/** Who has no inputs of at most this size yet is asked all the same. */
const SOON_MS = 2 * SECOND_MS;

/** What a contributor has to download; identical inputs count once. */
export const inputBytesOf = ({ inputs }: Pick<StoredJob, 'inputs'>): number =>
  [...new Map(inputs.map(({ hash, bytes }) => [hash, bytes])).values()].reduce((sum, bytes) => sum + bytes, 0);

/** Whether a job's download is within what the contributor allows. */
export const mayFetch = ({ downloadBytesMax }: Pick<Contributor, 'downloadBytesMax'>, { inputBytes }: Pick<Job, 'inputBytes'>): boolean =>
  inputBytes <= downloadBytesMax;

/** Time to allow for the download, 0 for whoever has shown that it has the inputs. Never longer than a lease token lives. */
export const fetchMs = ({ id }: Contributor, { inputBytes, fetchedBy }: Pick<Job, 'inputBytes' | 'fetchedBy'>): number =>
  fetchedBy.has(id) ? 0 : Math.min(limits.leaseTokenMsMax, (inputBytes / SLOW_LINE_BYTES_PER_SECOND) * SECOND_MS);

/** Whether it can begin at about once. */
export const canBeginSoon = (contributor: Contributor, job: Job): boolean => fetchMs(contributor, job) <= SOON_MS;
