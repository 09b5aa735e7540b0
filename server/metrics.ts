import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { limits } from '../shared/limits.ts';
import { type Cap, hits, type LimitName } from './caps.ts';
import type { Pool } from './checks/pool.ts';
import type { Coordinator } from './coordinator.ts';
import { LEASE_EXPIRED } from './core/coordinator.ts';
import type { Event } from './core/state.ts';
import type { Load } from './load.ts';
import type { BlobStore } from './store/store.ts';

/** Figures of a running coordinator for Prometheus. Seconds and bytes, as its conventions want; https://prometheus.io/docs/practices/naming. */

/** What is looked at when somebody asks. */
export interface Observed {
  readonly coordinator: Pick<Coordinator, 'waiting' | 'isRecovering'> & { readonly state: Pick<Coordinator['state'], 'jobs' | 'connected'> };
  readonly pools: Readonly<Record<'checks' | 'preparing' | 'assembling', Pick<Pool, 'load'>>>;
  readonly load: Pick<Load, 'delayMs' | 'isDraining' | 'underWay'>;
  /** Present use of caps. */
  readonly used: Readonly<Partial<Record<Cap, () => number>>>;
}

const MS_PER_S = 1000;
const REQUEST_S = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60];
const COMMIT_S = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2];
const BATCH = [1, 4, 16, 64, 256, 1000, 4000, 16_000];

export class Metrics {
  readonly #registry = new Registry();
  readonly #requests = this.#histogram(
    'tessera_http_request_seconds',
    'Time until the last byte of an answer, by route and status.',
    REQUEST_S,
    'method',
    'route',
    'status',
  );
  readonly #commands = this.#counter('tessera_socket_commands_total', 'Commands of sockets by what they were answered.', 'command', 'outcome');
  readonly #commandTime = this.#histogram('tessera_socket_command_seconds', 'Time from a command to its answer.', REQUEST_S, 'command');
  readonly #results = this.#counter('tessera_results_total', 'Results by what became of them.', 'state');
  readonly #leases = this.#counter('tessera_leases_total', 'Leases by what became of them.', 'outcome');
  readonly #refusals = this.#counter('tessera_commands_refused_total', 'Commands that the core refused.', 'code');
  readonly #audits = this.#counter('tessera_audits_granted_total', 'Audits that contributors were given.');
  readonly #batches = this.#histogram('tessera_commit_commands', 'Commands in one group commit.', BATCH);
  readonly #rows = this.#histogram('tessera_commit_writes', 'Writes in one group commit.', BATCH);
  readonly #commits = this.#histogram('tessera_commit_seconds', 'Time of one group commit.', COMMIT_S);
  readonly #failures = this.#counter('tessera_commit_failures_total', 'Group commits that the store refused.');
  readonly #packs = this.#histogram('tessera_pack_seconds', 'Time of one transaction that packed results which nothing changes any more.', COMMIT_S);
  readonly #packed = this.#counter('tessera_results_packed_total', 'Results that were packed.');
  readonly #blobs = this.#counter('tessera_blobs_written_total', 'Blobs that were stored.');
  readonly #blobBytes = this.#counter('tessera_blob_bytes_written_total', 'Their bytes.');
  readonly #blobFailures = this.#counter('tessera_blob_failures_total', 'Blobs that were not stored: bytes missing, wrong or too many, or no room.');
  readonly #uploads = this.#counter('tessera_uploads_total', 'Files of requesters that came in whole.');
  readonly #deliveries = this.#counter('tessera_webhook_deliveries_total', 'Attempts to deliver a webhook.', 'outcome');

  /** Once there is something to look at. */
  observe({ coordinator, pools, load, used }: Observed): void {
    this.#gauge('tessera_jobs_open', 'Jobs that are not done.', () => coordinator.state.jobs.size);
    this.#gauge('tessera_contributors_connected', 'Contributors that are here.', () => coordinator.state.connected.length);
    this.#gauge('tessera_commands_waiting', 'Commands whose commit has not ended.', () => coordinator.waiting.commands);
    this.#gauge('tessera_recovering', '1 while the state is read back after the store has failed.', () => Number(coordinator.isRecovering));
    this.#gauge('tessera_draining', '1 from the signal to end on.', () => Number(load.isDraining));
    this.#gauge('tessera_under_way', 'Commands and requests that are being answered.', () => load.underWay);
    this.#labelled('tessera_queue_waiting', 'Questions that wait for a thread.', 'queue', () =>
      Object.entries(pools).map(([name, pool]) => [name, pool.load.waiting]),
    );
    this.#labelled('tessera_queue_under_way', 'Questions that threads are at.', 'queue', () =>
      Object.entries(pools).map(([name, pool]) => [name, pool.load.underWay]),
    );
    this.#labelled('tessera_event_loop_delay_seconds', 'Delay of the event loop over the last second.', 'of', () =>
      Object.entries(load.delayMs).map(([of, ms]) => [of, ms / MS_PER_S]),
    );
    this.#gauge('process_resident_memory_bytes', 'Resident memory size in bytes.', () => process.memoryUsage.rss());
    this.#labelled('tessera_heap_bytes', 'Memory of JavaScript, and of the buffers beside it.', 'of', () => {
      const { heapUsed, heapTotal, external } = process.memoryUsage();
      return Object.entries({ heapUsed, heapTotal, external });
    });
    this.#labelled('tessera_limit_used', 'How much of a cap is in use.', 'limit', () => Object.entries(used).map(([cap, read]) => [cap, read()]));
    this.#labelled('tessera_limit', 'The cap itself, in the unit that its name ends with.', 'limit', () =>
      (Object.keys(limits) as LimitName[]).map((name) => [name, Number(limits[name])]),
    );
    // A counter that is set: the counts live where refusals are made.
    const limitHits = this.#counter('tessera_limit_hits_total', 'How often something ran into a cap.', 'limit');
    const told = new Map<string, number>();
    this.#collect = () => {
      for (const [limit, count] of hits) {
        limitHits.inc({ limit }, count - (told.get(limit) ?? 0));
        told.set(limit, count);
      }
    };
  }

  #collect: () => void = () => undefined;

  /** In the text format 0.0.4. */
  async text(): Promise<string> {
    this.#collect();
    return this.#registry.metrics();
  }

  request(method: string, route: string, status: number, ms: number): void {
    this.#requests.observe({ method, route, status: `${Math.floor(status / 100)}xx` }, ms / MS_PER_S);
  }

  /** `outcome`: `ok`, or the code of the refusal. */
  command(command: string, outcome: string, ms: number): void {
    this.#commands.inc({ command, outcome });
    this.#commandTime.observe({ command }, ms / MS_PER_S);
  }

  readonly committed = ({
    commands,
    writes,
    ms,
    failed,
  }: {
    readonly commands: number;
    readonly writes: number;
    readonly ms: number;
    readonly failed: boolean;
  }): void => {
    if (failed) this.#failures.inc();
    this.#batches.observe(commands);
    this.#rows.observe(writes);
    this.#commits.observe(ms / MS_PER_S);
  };

  readonly packed = ({ results, ms }: { readonly results: number; readonly ms: number }): void => {
    this.#packed.inc(results);
    this.#packs.observe(ms / MS_PER_S);
  };

  /** To be told of the coordinator's events. */
  readonly heard = (events: readonly Event[]): void => {
    for (const event of events) {
      if (event.type === 'write' && event.write.kind === 'result') this.#results.inc({ state: 'committed' });
      else if (event.type === 'verdict') this.#results.inc({ state: event.state });
      else if (event.type === 'tileRevoked') this.#results.inc({ state: 'revoked' });
      else if (event.type === 'leasesVoided') this.#leases.inc({ outcome: event.reason === LEASE_EXPIRED ? 'expired' : 'voided' }, event.tokens.length);
      else if (event.type === 'leased') {
        this.#leases.inc({ outcome: 'granted' }, event.leases.length);
        this.#audits.inc(event.audits.length);
        if (event.retryMs !== null) this.#leases.inc({ outcome: 'refused' });
      } else if (event.type === 'refused') this.#refusals.inc({ code: event.code });
    }
  };

  /** The same store, whose writes are counted. */
  counted(blobs: BlobStore): BlobStore {
    const put: BlobStore['put'] = async (...given) => {
      try {
        const written = await blobs.put(...given);
        this.#blobs.inc();
        this.#blobBytes.inc(written.bytes);
        return written;
      } catch (error) {
        this.#blobFailures.inc();
        throw error;
      }
    };
    return new Proxy(blobs, {
      get(target, name) {
        const own: unknown = name === 'put' ? put : Reflect.get(target, name);
        return typeof own === 'function' ? own.bind(target) : own;
      },
    });
  }

  upload(): void {
    this.#uploads.inc();
  }

  /** The same answer. */
  async delivery<T extends { readonly status: number }>(answer: Promise<T>): Promise<T> {
    const status = await answer.then(
      (each) => each.status,
      () => 0,
    );
    this.#deliveries.inc({ outcome: status >= 200 && status <= 299 ? 'delivered' : 'failed' });
    return answer;
  }

  #counter(name: string, help: string, ...labelNames: string[]): Counter {
    return new Counter({ name, help, labelNames, registers: [this.#registry] });
  }

  #histogram(name: string, help: string, buckets: number[], ...labelNames: string[]): Histogram {
    return new Histogram({ name, help, buckets, labelNames, registers: [this.#registry] });
  }

  #gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.#registry],
      collect() {
        this.set(read());
      },
    });
  }

  #labelled(name: string, help: string, label: string, read: () => Iterable<readonly [string, number]>): void {
    new Gauge({
      name,
      help,
      labelNames: [label],
      registers: [this.#registry],
      collect() {
        for (const [value, figure] of read()) this.set({ [label]: value }, figure);
      },
    });
  }
}
