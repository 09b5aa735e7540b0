import { createServer, type Server as HttpServer } from 'node:http';
import type { Server, Socket } from 'socket.io';
import { namespaces } from '../../shared/protocol.ts';
import type { Rng } from '../../shared/rng.ts';
import { readConfig } from '../config.ts';
import { Coordinator } from '../coordinator.ts';
import { Load } from '../load.ts';
import { Sharing } from '../sharing.ts';
import { createSockets } from '../sockets/connect.ts';
import { serveContributors } from '../sockets/contribute.ts';
import { packAll } from '../store/packs.testing.ts';
import { SqlStore } from '../store/sql-store.ts';
import type { BlobStore, Store } from '../store/store.ts';
import type { FaultyDatabase } from './database.testing.ts';
import { type Delays, Host } from './host.testing.ts';
import { Line, type LineFaults, type Space } from './line.testing.ts';
import { sleep } from './time.testing.ts';
import { check, spec } from './work.testing.ts';

export interface MachineOptions {
  readonly name: string;
  readonly database: FaultyDatabase;
  readonly space: Space;
  readonly rng: Rng;
  readonly toDatabase: Delays;
  readonly lines: LineFaults;
  /** By so much its clock is wrong. */
  readonly skewMs: number;
  readonly aliveMs: number;
  readonly vestingMsMax: number;
  readonly log: (what: string) => void;
}

/** What a coordinator is while it runs: nothing of it outlives a kill. */
interface Life {
  readonly host: Host;
  readonly lines: Set<Line>;
  readonly server: HttpServer;
  readonly sockets: Server;
  readonly store: Store;
  coordinator?: Coordinator;
  sharing?: Sharing;
}

/** Results and openings travel inside their messages, and jobs have no inputs. */
const noBlobs = { hold: async () => ({ paths: [], release: () => undefined }) } as unknown as BlobStore;

const AGAIN_MS = 250;
/** In the time after which a coordinator is taken for dead. */
const BEATS = 3;
const LOOK_MS = 600;
const PACK_MS = 2500;
const PACKED_MIN = 3;
/** Measures nothing here, and is dear to make. */
const load = new Load();
const config = readConfig({});

/** Where a coordinator runs, is killed and starts again: the real edge for contributors, core, checking, sharing and store, over what can fail. */
export class Machine {
  readonly #options: MachineOptions;
  #life: Life | null = null;
  #lines = 0;

  constructor(options: MachineOptions) {
    this.#options = options;
  }

  /** Of a coordinator that serves; undefined while it is down, or starts. */
  get running(): { readonly store: Store; readonly coordinator: Coordinator } | undefined {
    const { store, coordinator, sharing } = this.#life ?? {};
    return store && coordinator && sharing && { store, coordinator };
  }

  get isUp(): boolean {
    return this.#life !== null;
  }

  async start(): Promise<void> {
    const { database, rng, toDatabase, log, name } = this.#options;
    const host = new Host(rng, toDatabase);
    const server = createServer();
    const life: Life = { host, lines: new Set(), server, sockets: createSockets(server, () => true, { load }), store: new SqlStore(database.client(host)) };
    this.#life = life;
    try {
      await this.#begin(life);
      log(`${name} runs as ${life.coordinator?.epoch}`);
    } catch (error) {
      // Whoever starts it starts it again until it stays.
      log(`${name} does not start: ${error}`);
      this.kill();
      await sleep(AGAIN_MS);
      if (!this.#life) await this.start();
    }
  }

  async #begin(life: Life): Promise<void> {
    const { name, rng, log, skewMs, aliveMs, vestingMsMax, space } = this.#options;
    const { store } = life;
    const clock = (): number => Math.floor(Date.now() + skewMs);
    const random = (length: number): Uint8Array => Uint8Array.from({ length }, () => rng.below(256));
    const say = (fields: object, message: string): void => log(`${name}: ${message} ${JSON.stringify(fields)}`);
    const quiet = { info: () => undefined, error: say };
    const coordinator = await Coordinator.open({
      store,
      blobs: noBlobs,
      checks: { ask: check as Parameters<typeof Coordinator.open>[0]['checks']['ask'] },
      spec: (id) => (id === spec.id ? spec : undefined),
      privateSwarm: false,
      vestingMsMax,
      holdbackMs: 0,
      clock,
      random,
      log: quiet,
      beginLife: () => Sharing.begin(store, aliveMs),
    });
    life.coordinator = coordinator;
    coordinator.onEvents((events) => {
      for (const event of events) {
        if (event.type === 'verdict') log(`${name}: ${event.job} ${event.at.pass}/${event.at.tile}/${event.parts} of ${event.contributor} is ${event.state}`);
        if (event.type === 'jobEnded') log(`${name}: ${event.job} has ended`);
      }
    });
    const networkKey = await store.secret('network');
    const bus = space.bus(life.host);
    serveContributors(
      life.sockets,
      {
        store,
        blobs: noBlobs,
        coordinator,
        config,
        isSuspended: () => false,
        wanted: (...tile) => life.sharing?.want(...tile),
        networkKey,
        clock,
        randomBytes: random,
        log: quiet,
      },
      bus,
    );
    const sharing = await Sharing.open({ store, coordinator, clock, log: quiet, heard: () => undefined, jobChanged: () => undefined, aliveMs }, false);
    life.sharing = sharing;
    void this.#repeat(life, () => sharing.beat(), aliveMs / BEATS);
    void this.#repeat(life, () => sharing.look(), LOOK_MS);
    // By all of them, while jobs are open too, and at once: a real one does so seldom.
    const pack = () =>
      packAll(store, { packResults: PACKED_MIN }).then(
        () => undefined,
        (error: unknown) => say({ error: String(error) }, 'results could not be packed'),
      );
    void this.#repeat(life, pack, PACK_MS);
  }

  /** Neither as regular as a clock, nor as often as on a real machine: most of the time of a run would go there. */
  async #repeat({ host }: Life, what: () => Promise<void>, ms: number): Promise<void> {
    while (!host.isDead) {
      await sleep(ms * (0.5 + this.#options.rng.unit()));
      if (!host.isDead) await what();
    }
  }

  /** A contributor's connection; null when nobody answers there. */
  connect(address: string, fact: (name: string, message: unknown) => void): Line | null {
    const { name, rng, lines } = this.#options;
    const life = this.#life;
    if (!life?.sharing) return null;
    const line = new Line(`${name}/${this.#lines++}`, life.host, life.sockets, address, rng, lines, fact);
    life.lines.add(line);
    void line.ended.then(() => life.lines.delete(line));
    for (const listener of life.sockets.of(namespaces.contribute).listeners('connection')) listener(line as unknown as Socket);
    return line;
  }

  cutLines(): void {
    for (const line of this.#life?.lines ?? []) line.cut();
  }

  /** At once, and whatever it is doing. */
  kill(): void {
    const life = this.#life;
    if (!life) return;
    this.#life = null;
    this.#options.log(`${this.#options.name} is killed`);
    life.host.kill();
    this.#options.database.drop(life.host);
    this.#options.space.leave(life.host);
    for (const line of life.lines) line.cut();
    // Nobody sees what they still do: this only stops their timers.
    void life.coordinator?.close();
    void life.sharing?.close();
    life.server.emit('close');
  }

  /** Its process stands still, and goes on as if nothing had been. */
  async pause(ms: number): Promise<void> {
    const host = this.#life?.host;
    if (!host) return;
    this.#options.log(`${this.#options.name} is paused`);
    host.pause();
    await sleep(ms);
    host.resume();
    this.#options.log(`${this.#options.name} goes on`);
  }
}
