import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/**
 * An emulated line between a contributor and its coordinator: a TCP proxy that keeps the order of the bytes, delays each direction by half
 * of the round trip and lets all connections together have no more than the line's rate. Opening a connection costs a round trip.
 * What real TCP does beside that (slow start, loss) is not emulated.
 */
export interface LinkOptions {
  /** The coordinator's. */
  readonly port: number;
  readonly rttMs: number;
  readonly upBitsPerS: number;
  readonly downBitsPerS: number;
}

/** As a router would, the line takes so much ahead and no more: then the sender has to wait. */
const QUEUE_MS_MAX = 250;

/** What happens later, in order: timers of different lengths may swap what lies within a millisecond. */
class Later {
  readonly #queue: { readonly atMs: number; readonly run: () => void }[] = [];

  add(atMs: number, run: () => void): void {
    this.#queue.push({ atMs: Math.max(atMs, this.#queue.at(-1)?.atMs ?? 0), run });
    if (this.#queue.length === 1) this.#wait();
  }

  #wait(): void {
    const [next] = this.#queue;
    if (!next) return;
    setTimeout(
      () => {
        for (const now = performance.now(); (this.#queue[0]?.atMs ?? Number.POSITIVE_INFINITY) <= now; ) this.#queue.shift()?.run();
        this.#wait();
      },
      Math.max(0, next.atMs - performance.now()),
    );
  }
}

/** One direction, shared by all connections. */
class Lane {
  readonly #bytesPerMs: number;
  readonly #delayMs: number;
  #freeMs = 0;

  constructor(bitsPerS: number, delayMs: number) {
    this.#bytesPerMs = bitsPerS / 8 / 1000;
    this.#delayMs = delayMs;
  }

  /** `heldMs`: nothing leaves before. */
  carry(from: Socket, to: Socket, heldMs: number): void {
    const later = new Later();
    const arrivesMs = (): number => Math.max(performance.now(), heldMs, this.#freeMs) + this.#delayMs;
    from.on('data', (chunk: Buffer) => {
      const now = performance.now();
      this.#freeMs = Math.max(now, this.#freeMs) + chunk.byteLength / this.#bytesPerMs;
      later.add(arrivesMs(), () => to.destroyed || to.write(chunk));
      const aheadMs = this.#freeMs - now - QUEUE_MS_MAX;
      if (aheadMs <= 0) return;
      from.pause();
      setTimeout(() => from.resume(), aheadMs);
    });
    from.once('end', () => later.add(arrivesMs(), () => to.end()));
    from.once('close', () => later.add(arrivesMs(), () => to.destroy()));
    from.on('error', () => undefined);
  }
}

export async function openLink({ port, rttMs, upBitsPerS, downBitsPerS }: LinkOptions): Promise<{ readonly origin: string; close(): void }> {
  const up = new Lane(upBitsPerS, rttMs / 2);
  const down = new Lane(downBitsPerS, rttMs / 2);
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket.setNoDelay(true));
      socket.once('close', () => sockets.delete(socket));
    }
    up.carry(near, far, performance.now() + rttMs);
    down.carry(far, near, 0);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
