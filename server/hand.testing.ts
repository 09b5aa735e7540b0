import { createHash, randomBytes } from 'node:crypto';
import { io, type Socket } from 'socket.io-client';
import parser from 'socket.io-msgpack-parser';
import { expect } from 'vitest';
import { type Committed, commitParts, saltOf } from '../shared/commitment.ts';
import { decodeAuditElements, encodeResult, toHex } from '../shared/formats.ts';
import { limits } from '../shared/limits.ts';
import { type ContributorId, countParts, partsOf, type ResultId, type TileRef } from '../shared/model.ts';
import {
  type Ack,
  type AuditLease,
  type HandedIn,
  type Lease,
  namespaces,
  type OpenRequest,
  PROTOCOL_VERSION,
  type VerdictMessage,
  type Welcome,
  type Work,
} from '../shared/protocol.ts';
import { ELEMENTS, hashOf, spec, valuesOf, WORDS, type World } from './formula.testing.ts';
import { newConsentId, newContributorId, newDeviceOwner } from './ids.ts';

/** What a contributor keeps of a hand-in. */
export interface Made {
  readonly lease: Lease;
  readonly bytes: Buffer;
  readonly committed: Committed;
}

/** Added to every value of an element. */
export type Lie = (at: TileRef, part: number, element: number) => number;

export class Hand {
  readonly verdicts: VerdictMessage[] = [];
  readonly wanted: OpenRequest[] = [];
  readonly #world: World;
  readonly #hello: Record<string, unknown>;
  socket!: Socket;
  welcome!: Welcome;

  private constructor(world: World, hello: Record<string, unknown>) {
    this.#world = world;
    this.#hello = hello;
  }

  /** A contributor with an owner of its own, not connected yet. */
  static async make(world: World, more: object = {}): Promise<Hand> {
    const secret = randomBytes(32);
    const [id, consent] = [newContributorId(randomBytes), newConsentId(randomBytes)];
    const owner = newDeviceOwner(randomBytes);
    await world.store.people.createContributor({ id, secretHash: createHash('sha256').update(secret).digest(), owner, createdMs: 0 });
    const standing = { contributor: id, kinds: [spec.id], site: null, powerPercent: 100, grantedMs: 0, expiresMs: Number.MAX_SAFE_INTEGER, revokedMs: null };
    await world.store.people.createConsent({ id: consent, ...standing });
    const device = { vendor: 'test', architecture: '', backend: 'none', description: '', software: true };
    return new Hand(world, {
      protocol: PROTOCOL_VERSION,
      contributor: id,
      secret: secret.toString('base64url'),
      consent,
      device,
      downloadBytesMax: limits.downloadBytesDefault,
      ...more,
    });
  }

  static async join(world: World, more: object = {}, headers: Record<string, string> = {}): Promise<Hand> {
    const hand = await Hand.make(world, more);
    await hand.connect(headers);
    return hand;
  }

  async connect(headers: Record<string, string> = {}): Promise<void> {
    this.socket = io(this.#world.url + namespaces.contribute, {
      transports: ['websocket'],
      parser,
      reconnection: false,
      forceNew: true,
      extraHeaders: headers,
    });
    this.socket.on('verdicts', (messages: VerdictMessage[]) => this.verdicts.push(...messages));
    this.socket.on('open:wanted', (message: OpenRequest) => this.wanted.push(message));
    await new Promise<void>((resolve, reject) => {
      this.socket.once('connect', resolve);
      this.socket.once('connect_error', reject);
    });
    this.welcome = await this.ask<Welcome>('hello', this.#hello);
  }

  get id(): ContributorId {
    return this.#hello.contributor as ContributorId;
  }

  async raw<T>(command: string, message: unknown): Promise<Ack<T>> {
    return (await this.socket.timeout(5000).emitWithAck(command, message)) as Ack<T>;
  }

  async ask<T>(command: string, message: unknown): Promise<T> {
    const ack = await this.raw<T>(command, message);
    if ('error' in ack) throw new Error(`${ack.error.code} ${ack.error.field}: ${ack.error.message}`);
    return ack.data;
  }

  work(leasesMax = 1): Promise<Work> {
    return this.ask('work', { leasesMax });
  }

  async lease(): Promise<Lease> {
    const { leases } = await this.work();
    if (!leases[0]) throw new Error('there was no lease');
    return leases[0];
  }

  /** What is computed under a lease, and the commitment to it. */
  compute(lease: Lease, lie: Lie = () => 0): Made {
    const shape = { parts: lease.parts, elements: ELEMENTS, words: WORDS };
    const parts = partsOf(lease.parts).map((part) => {
      const values = Array.from({ length: ELEMENTS }, (_, element) => valuesOf([{ ...lease.at, part, element }], lie(lease.at, part, element)));
      return { part, bytes: new Uint8Array(Uint32Array.from(values.flatMap((value) => [...value])).buffer) };
    });
    return { lease, bytes: Buffer.from(encodeResult(parts, ELEMENTS, WORDS)), committed: commitParts(saltOf(lease.token), shape, parts) };
  }

  handIn({ lease, bytes, committed }: Made, more: object = {}): Promise<Ack<HandedIn>> {
    const { token, parts } = lease;
    return this.raw('handIn', { token, parts, root: toHex(committed.root), hash: hashOf(bytes), inline: bytes, computeMs: 1, leasesMax: 0, ...more });
  }

  /** Opens with these bytes, inline when they fit and as a blob otherwise. */
  async open(result: string, bytes: Uint8Array, lease: Lease, more: object = {}): Promise<Ack<null>> {
    const small = bytes.byteLength <= 32 * 1024;
    if (!small) await this.#world.put(lease.token, bytes);
    return this.raw('open', { result, hash: hashOf(bytes), inline: small ? Buffer.from(bytes) : null, ...more });
  }

  /** Leases, computes, hands in and opens. */
  async deliver(lie?: Lie): Promise<Made & { readonly result: ResultId }> {
    const made = this.compute(await this.lease(), lie);
    const ack = await this.handIn(made);
    if ('error' in ack) throw new Error(ack.error.message);
    const { result, open } = ack.data;
    if (open.length > 0) await this.open(result, made.committed.open(open), made.lease);
    return { ...made, result };
  }

  /** Recomputes what an audit asks for. */
  answer({ token, elements }: AuditLease, change = 0): Promise<Ack<{ work: Work }>> {
    return this.raw('answer', {
      token,
      values: Buffer.from(valuesOf(decodeAuditElements(new Uint8Array(elements)), change).buffer),
      computeMs: 1,
      leasesMax: 0,
    });
  }
}

export const partCount = ({ parts }: Lease): number => countParts(parts);

/** What an answer refuses, and in which field. */
export const refusal = (ack: Ack<unknown>): [string, string | undefined] => ('error' in ack ? [ack.error.code, ack.error.field] : ['done', undefined]);

export async function handedIn(hand: Hand, made: Made): Promise<HandedIn> {
  const ack = await hand.handIn(made);
  if ('error' in ack) throw new Error(ack.error.message);
  return ack.data;
}

export async function verdictOf(hand: Hand, number = 1): Promise<VerdictMessage> {
  await expect.poll(() => hand.verdicts.length, { timeout: 5000 }).toBe(number);
  return hand.verdicts[number - 1]!;
}

/** A lie about every value. */
export const always = (): number => 1000;
