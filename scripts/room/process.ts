import { once } from 'node:events';
import { createServer } from 'node:net';
import { type Child, startChild } from '../child.ts';
import { root } from '../pages.ts';

const READY_MS_MAX = 60_000;

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** The coordinator of a room: always on the same port and folder, however often it is killed. */
export class RoomCoordinator {
  readonly #env: NodeJS.ProcessEnv;
  #child: Child | undefined;
  #kills = 0;
  #backAfterMs: number | null = null;
  readonly #ended = Promise.withResolvers<never>();
  /** What it said when it was ready: addresses and their QR code. */
  announcement = '';

  constructor(env: NodeJS.ProcessEnv) {
    this.#env = env;
  }

  get kills(): number {
    return this.#kills;
  }
  get backAfterMs(): number | null {
    return this.#backAfterMs;
  }

  async start(): Promise<string> {
    const lines: string[] = [];
    const child = startChild(process.execPath, ['scripts/start.ts'], { cwd: root, env: this.#env, onLine: (line) => lines.push(line) });
    this.#child = child;
    void child.exited.then((code) => {
      if (this.#child === child) this.#ended.reject(new Error(`the coordinator ended with ${code}:\n${child.tail()}`));
    });
    const [, url = ''] = await child.line(/ready: (https?:\S+)/, READY_MS_MAX);
    this.announcement = lines.join('\n');
    return url;
  }

  /** kill -9, then a new process on what the old one left behind; what goes wrong ends the room. `between`: while nobody has the folder. */
  async killAndStart(between: () => void): Promise<void> {
    this.#kills++;
    const beganMs = performance.now();
    const killed = this.#child;
    this.#child = undefined;
    try {
      await killed?.kill();
      between();
      await this.start();
      this.#backAfterMs = performance.now() - beganMs;
    } catch (error) {
      this.#ended.reject(error);
    }
  }

  async stop(): Promise<void> {
    const stopped = this.#child;
    this.#child = undefined;
    await stopped?.stop();
  }

  /** Rejects when it ends by itself, or does not come back. */
  get ended(): Promise<never> {
    return this.#ended.promise;
  }
}
