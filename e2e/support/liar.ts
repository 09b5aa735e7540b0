import { createHash, randomBytes } from 'node:crypto';
import { io, type Socket } from 'socket.io-client';
import msgpack from 'socket.io-msgpack-parser';
import type { TestCoordinator } from './coordinator.ts';

/**
 * A contributor that speaks the protocol well, written from its description alone, and hands in plausible nonsense:
 * results of the right length and form whose numbers were never computed, with a root that commits to nothing.
 */

const PROTOCOL_VERSION = 5;
const RESULT_MAGIC = 0x32525354;
const RESULT_HEADER_BYTES = 16;
const PIXEL_WORDS = 4;
const REPLY_MS_MAX = 10_000;

interface Lease {
  readonly token: string;
  readonly job: string;
  readonly at: { readonly pass: number; readonly tile: number };
  readonly parts: number;
}
interface Work {
  readonly leases: readonly Lease[];
}
export interface Verdict {
  readonly verdict: string;
  readonly microCredits: string;
}

export class Liar {
  readonly verdicts: Verdict[] = [];
  readonly #socket: Socket;
  readonly #coordinator: TestCoordinator;
  readonly #contributor: { readonly id: string; readonly secret: string };

  private constructor(coordinator: TestCoordinator, socket: Socket, contributor: { id: string; secret: string }) {
    this.#coordinator = coordinator;
    this.#socket = socket;
    this.#contributor = contributor;
    socket.on('verdicts', (verdicts: Verdict[]) => this.verdicts.push(...verdicts));
  }

  static async join(coordinator: TestCoordinator, kinds: readonly string[]): Promise<Liar> {
    const { consent, contributor } = await coordinator.post<{ consent: { id: string }; contributor: { id: string; secret: string } }>('/api/consents', {
      kinds,
      site: null,
    });
    const socket = io(`${coordinator.apiUrl}/contribute`, { transports: ['websocket'], parser: msgpack, reconnection: false, forceNew: true });
    const liar = new Liar(coordinator, socket, contributor);
    const device = { vendor: 'acme', architecture: 'nonsense', backend: 'none', description: '', software: false };
    await liar.#ask('hello', {
      protocol: PROTOCOL_VERSION,
      contributor: contributor.id,
      secret: contributor.secret,
      consent: consent.id,
      device,
      downloadBytesMax: 2 ** 28,
    });
    return liar;
  }

  async #ask<T>(command: string, message: object): Promise<T> {
    const reply = (await this.#socket.timeout(REPLY_MS_MAX).emitWithAck(command, message)) as { data?: T; error?: { code: string; message: string } };
    if (reply.error) throw new Error(`${command}: ${reply.error.code}: ${reply.error.message}`);
    return reply.data as T;
  }

  /** Takes one tile of `pixels` pixels, hands nonsense in for it and opens something else. False when it got no tile. */
  async lie(pixels: number): Promise<boolean> {
    const [lease] = (await this.#ask<Work>('work', { leasesMax: 1 })).leases;
    if (!lease) return false;
    const bytes = nonsense(lease.parts, pixels);
    const root = randomBytes(32).toString('hex');
    const handIn = { token: lease.token, parts: lease.parts, root, hash: sha256(bytes), inline: bytes, computeMs: 5, leasesMax: 0 };
    const { result, open } = await this.#ask<{ result: string; open: number[] }>('handIn', handIn);
    if (open.length === 0) throw new Error('nothing of a newcomer’s result is looked at');
    const opening = randomBytes(4096);
    await this.#ask('open', { result, hash: sha256(opening), inline: opening });
    return true;
  }

  async earned(): Promise<bigint> {
    const { id, secret } = this.#contributor;
    const me = await this.#coordinator.get<{ earnedMicroCredits: string }>('/api/contributors/me', { authorization: `Contributor ${id}.${secret}` });
    return BigInt(me.earnedMicroCredits);
  }

  get id(): string {
    return this.#contributor.id;
  }

  leave(): void {
    this.#socket.disconnect();
  }
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** Result v2: header, four low words a pixel of a grey that could be true, and their high bytes. */
function nonsense(parts: number, pixels: number): Buffer {
  const words = pixels * PIXEL_WORDS;
  const bytes = Buffer.alloc(RESULT_HEADER_BYTES + words * 5);
  bytes.writeUInt32LE(RESULT_MAGIC, 0);
  bytes.writeUInt32LE(parts, 4);
  bytes.writeUInt32LE(pixels, 8);
  bytes.writeUInt32LE(PIXEL_WORDS, 12);
  const grey = 20_000 + (randomBytes(1)[0] ?? 0);
  for (let word = 0; word < words; word++) bytes.writeUInt32LE(grey, RESULT_HEADER_BYTES + word * 4);
  return bytes;
}
