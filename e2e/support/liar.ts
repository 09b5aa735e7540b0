import { createHash, randomBytes } from 'node:crypto';
import { io, type Socket } from 'socket.io-client';
import msgpack from 'socket.io-msgpack-parser';
import type { TestCoordinator } from './coordinator.ts';

/**
 * A contributor that speaks the protocol well, written from its description alone, and hands in plausible nonsense:
 * results of the right length and form whose numbers were never computed.
 */

const PROTOCOL_VERSION = 1;
const RESULT_MAGIC = 0x31525354;
const RESULT_HEADER_BYTES = 16;
const PIXEL_BYTES = 16;
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
    socket.on('verdict', (verdict: Verdict) => this.verdicts.push(verdict));
  }

  static async join(coordinator: TestCoordinator, kinds: readonly string[]): Promise<Liar> {
    const { consent, contributor } = await coordinator.post<{ consent: { id: string }; contributor: { id: string; secret: string } }>('/api/consents', {
      kinds,
      site: null,
    });
    const socket = io(`${coordinator.apiUrl}/contribute`, { transports: ['websocket'], parser: msgpack, reconnection: false, forceNew: true });
    const liar = new Liar(coordinator, socket, contributor);
    const device = { vendor: 'acme', architecture: 'nonsense', backend: 'none', description: '', software: false };
    await liar.#ask('hello', { protocol: PROTOCOL_VERSION, contributor: contributor.id, secret: contributor.secret, consent: consent.id, device });
    return liar;
  }

  async #ask<T>(command: string, message: object): Promise<T> {
    const reply = (await this.#socket.timeout(REPLY_MS_MAX).emitWithAck(command, message)) as { data?: T; error?: { code: string; message: string } };
    if (reply.error) throw new Error(`${command}: ${reply.error.code}: ${reply.error.message}`);
    return reply.data as T;
  }

  /** Takes up to `count` tiles of `pixels` pixels each and hands nonsense in for them. Returns how many were taken. */
  async lie(count: number, pixels: number): Promise<number> {
    const { leases } = await this.#ask<Work>('work', { leasesMax: count });
    for (const lease of leases) {
      const bytes = nonsense(lease.parts, pixels * PIXEL_BYTES);
      const hash = createHash('sha256').update(bytes).digest('hex');
      await this.#ask('handIn', { token: lease.token, parts: lease.parts, hash, inline: bytes, computeMs: 5, leasesMax: 0 });
    }
    return leases.length;
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

/** Result v1: header, then every part; each pixel four u32 of a grey that could be true. */
function nonsense(parts: number, partBytes: number): Buffer {
  const count = parts.toString(2).replaceAll('0', '').length;
  const bytes = Buffer.alloc(RESULT_HEADER_BYTES + count * partBytes);
  bytes.writeUInt32LE(RESULT_MAGIC, 0);
  bytes.writeUInt32LE(parts, 4);
  bytes.writeUInt32LE(partBytes, 8);
  const grey = 20_000 + (randomBytes(1)[0] ?? 0);
  for (let at = RESULT_HEADER_BYTES; at < bytes.length; at += 4) bytes.writeUInt32LE(grey, at);
  return bytes;
}
