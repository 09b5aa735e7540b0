import { connect, createServer, type Server, type Socket } from 'node:net';
import type { TestCoordinator } from './coordinator.ts';

/** A results or an opening on its way; everything else that an engine sends is shorter. */
const UPLOAD_BYTES_MIN = 4096;

/** The network between a browser and the coordinator: it can break in the middle of an upload, and come back. */
export class Relay {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isUp = true;
  /** Set while waiting for an upload to break in. */
  #broke: (() => void) | null = null;

  private constructor(target: number) {
    this.#server = createServer((browser) => {
      const coordinator = connect(target, '127.0.0.1');
      for (const socket of [browser, coordinator]) {
        this.#sockets.add(socket);
        socket.on('error', () => undefined);
        socket.on('close', () => {
          this.#sockets.delete(socket);
          browser.destroy();
          coordinator.destroy();
        });
      }
      if (!this.#isUp) browser.destroy();
      coordinator.pipe(browser);
      browser.on('data', (chunk) => this.#send(coordinator, chunk));
    });
  }

  static async open(coordinator: TestCoordinator): Promise<Relay> {
    const relay = new Relay(Number(new URL(coordinator.apiUrl).port));
    await new Promise<void>((resolve) => relay.#server.listen(0, '127.0.0.1', resolve));
    return relay;
  }

  /** Where browsers find the coordinator through it. */
  get url(): string {
    const address = this.#server.address();
    return `http://localhost:${typeof address === 'object' ? address?.port : ''}`;
  }

  /** Breaks with half of the next upload on the other side. Resolves when it has. */
  breakInUpload(): Promise<void> {
    return new Promise((resolve) => {
      this.#broke = resolve;
    });
  }

  mend(): void {
    this.#isUp = true;
  }

  close(): void {
    this.#server.close();
    this.#cut();
  }

  #send(coordinator: Socket, chunk: Buffer): void {
    const broke = chunk.byteLength >= UPLOAD_BYTES_MIN ? this.#broke : null;
    if (!broke) {
      coordinator.write(chunk);
      return;
    }
    this.#broke = null;
    this.#isUp = false;
    coordinator.write(chunk.subarray(0, chunk.byteLength / 2), () => {
      this.#cut();
      broke();
    });
  }

  #cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}
