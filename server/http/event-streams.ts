import { Readable } from 'node:stream';
import { KIB, limits, SECOND_MS } from '../../shared/limits.ts';
import type { JobId, OwnerId } from '../../shared/model.ts';
import type { JobView } from '../../shared/schemas.ts';
import { atCap, hit } from '../caps.ts';
import type { Audience, News, Viewer } from '../watching.ts';
import { HttpError } from './errors.ts';

/** Server-sent events of jobs: the HTML standard, 9.2. */

/** How long a client waits before it connects again. */
const RETRY_MS = 3 * SECOND_MS;
/** What is sent of the past before the reader has taken some. */
const AHEAD_BYTES = 64 * KIB;
/** When too many streams are open: most jobs take minutes. */
const FULL_RETRY_S = 30;

export const eventText = (event: string, data: unknown, id?: string): string =>
  `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;

/** Names the end of a job as the last that was told: whoever comes back with it is not to come again. */
export const endIdOf = ({ endedMs }: Pick<JobView, 'endedMs'>): string => `${endedMs}.end`;

/** One reader of one job's events. */
export class EventStream implements Viewer {
  readonly job: JobId;
  readonly owner: OwnerId | undefined;
  readonly address: string;
  /** Hash of the session, or of the key's secret, that it was asked for with. */
  readonly session: Uint8Array | null;
  readonly body: Readable;
  /** Whether the job is the reader's. */
  mine = false;
  /** What happens while the past is still being sent; null once that is done. */
  #later: { text: string; isEnd: boolean }[] | null = [];
  #laterBytes = 0;
  #isOver = false;
  #wanted: () => void = () => undefined;

  constructor(viewer: Pick<EventStream, 'job' | 'owner' | 'address' | 'session'>) {
    this.job = viewer.job;
    this.owner = viewer.owner;
    this.address = viewer.address;
    this.session = viewer.session;
    this.body = new Readable({ highWaterMark: AHEAD_BYTES, read: () => this.#wanted() });
    this.body.once('close', () => this.#wanted());
    this.body.push(`retry: ${RETRY_MS}\n\n`);
  }

  /** Sends what was before, as fast as it is read, then what came meanwhile, or with `isOver` nothing more. Whoever takes nothing for 30 s is closed. */
  async begin(past: Iterable<string>, isOver: boolean): Promise<void> {
    for (const text of past) {
      if (this.body.destroyed) return;
      if (this.body.push(text) || (await this.#drained())) continue;
      if (!this.body.destroyed) hit('eventStreamStallMsMax');
      this.gone();
      return;
    }
    if (isOver) return this.end();
    const later = this.#later ?? [];
    this.#later = null;
    this.#laterBytes = 0;
    for (const { text, isEnd } of later) this.send(text, isEnd);
  }

  /** Something that happens now. A reader for whom too much waits is closed. With `isEnd` nothing follows. */
  send(text: string, isEnd = false): void {
    if (this.#isOver || this.body.destroyed) return;
    const bytes = Buffer.byteLength(text);
    if (this.body.readableLength + this.#laterBytes + bytes > limits.eventStreamWaitingBytesMax) {
      hit('eventStreamWaitingBytesMax');
      this.gone();
    } else if (this.#later) {
      this.#later.push({ text, isEnd });
      this.#laterBytes += bytes;
    } else {
      this.body.push(text);
      if (isEnd) this.end();
    }
  }

  /** A comment, so that nobody on the way takes the connection for dead. */
  beat(): void {
    if (!this.#later) this.send(':\n\n');
  }

  /** Closes it after what was sent. */
  end(): void {
    if (this.#isOver || this.body.destroyed) return;
    this.#isOver = true;
    this.body.push(null);
  }

  gone(): void {
    this.body.destroy();
  }

  /** Resolves with true once more may be sent. */
  async #drained(): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const tooSlow = setTimeout(() => resolve(false), limits.eventStreamStallMsMax);
    this.#wanted = () => resolve(!this.body.destroyed);
    const isWanted = await promise;
    clearTimeout(tooSlow);
    this.#wanted = () => undefined;
    return isWanted;
  }
}

/** All streams that are open, by job. */
export class EventStreams implements Audience {
  readonly #byJob = new Map<JobId, Set<EventStream>>();
  readonly #timer = setInterval(() => {
    for (const stream of this.viewers()) stream.beat();
  }, limits.eventStreamHeartbeatMs);

  /** Throws `HttpError` when too many are open. */
  open(viewer: Pick<EventStream, 'job' | 'owner' | 'address' | 'session'>): EventStream {
    let [all, ofAddress, ofOwner] = [0, 0, 0];
    for (const { address, owner } of this.viewers()) {
      all++;
      if (address === viewer.address) ofAddress++;
      if (owner !== undefined && owner === viewer.owner) ofOwner++;
    }
    const { eventStreamsMax, eventStreamsPerAddressMax, eventStreamsPerOwnerMax } = limits;
    if (all >= eventStreamsMax) throw atCap('eventStreamsMax', full(`At most ${eventStreamsMax} streams of events may be open here.`, eventStreamsMax));
    if (ofAddress >= eventStreamsPerAddressMax)
      throw atCap('eventStreamsPerAddressMax', full(`At most ${eventStreamsPerAddressMax} streams of events an address.`, eventStreamsPerAddressMax));
    if (ofOwner >= eventStreamsPerOwnerMax)
      throw atCap('eventStreamsPerOwnerMax', full(`At most ${eventStreamsPerOwnerMax} streams of events an account.`, eventStreamsPerOwnerMax));
    const stream = new EventStream(viewer);
    const ofJob = this.#byJob.get(viewer.job) ?? new Set();
    this.#byJob.set(viewer.job, ofJob.add(stream));
    stream.body.once('close', () => {
      ofJob.delete(stream);
      if (ofJob.size === 0) this.#byJob.delete(viewer.job);
    });
    return stream;
  }

  watches(job: JobId): boolean {
    return this.#byJob.has(job);
  }

  get count(): number {
    let count = 0;
    for (const streams of this.#byJob.values()) count += streams.size;
    return count;
  }

  *viewers(): Iterable<EventStream> {
    for (const streams of this.#byJob.values()) yield* streams;
  }

  tell(news: News): void {
    const [theirs, own] = [textOf(news, false), textOf(news, true)];
    for (const stream of this.#byJob.get(news.job) ?? []) {
      const text = stream.mine ? own : theirs;
      if (text !== undefined) stream.send(text, news.type === 'ended');
    }
  }

  /** Whoever reads on asks again, as whoever he is by then. */
  sessionEnded(hash: Uint8Array): void {
    for (const stream of [...this.viewers()]) if (stream.session && Buffer.compare(stream.session, hash) === 0) stream.gone();
  }

  /** Ends them all after what was sent: their readers come back, to another process perhaps. */
  end(): void {
    for (const stream of [...this.viewers()]) stream.end();
  }

  close(): void {
    clearInterval(this.#timer);
    for (const stream of [...this.viewers()]) stream.gone();
  }
}

const full = (message: string, limit: number): HttpError => new HttpError('too_many', message, undefined, `${limit} streams`, { retryAfterS: FULL_RETRY_S });

/** Undefined for what is not told by this way. */
function textOf(news: News, mine: boolean): string | undefined {
  switch (news.type) {
    case 'tileAccepted':
      return eventText('tile', news.result, String(news.atMs));
    case 'tileRevoked':
      return eventText('revoked', { result: news.result }, String(news.atMs));
    case 'progress':
      return eventText('job', { ...news.view, mine });
    case 'ended':
      return eventText('end', { ...news.view, mine }, endIdOf(news.view));
    default:
      return undefined;
  }
}
