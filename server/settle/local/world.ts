import { createHash, randomBytes } from 'node:crypto';
import {
  type Address,
  appendTransactionMessageInstructions,
  blockhash,
  type Commitment,
  createTransactionMessage,
  generateKeyPairSigner,
  getBase58Decoder,
  getTransactionEncoder,
  type Instruction,
  type KeyPairSigner,
  pipe,
  type Signature,
  setTransactionMessageFeePayerSigner,
  setTransactionMessageLifetimeUsingBlockhash,
  signTransactionMessageWithSigners,
  type TransactionError,
} from '@solana/kit';
import { getTransferSolInstruction } from '@solana-program/system';
import { TRANSACTION_BYTES_MAX, tokenAccountOf } from '../transaction.ts';
import { Accounts } from './accounts.ts';
import { balancesOf, holdingOf, type TokenBalance } from './balances.ts';
import { type Account, Engine, type Execution } from './engine.ts';
import { type Message, messageOf } from './message.ts';
import { mintInstructions, mintToInstructions } from './tokens.ts';

/** A transaction in a block, with or without effect. */
export interface Landed {
  readonly message: Message;
  readonly wire: Uint8Array;
  readonly slot: bigint;
  readonly timeMs: number;
  readonly error: TransactionError | null;
  readonly logs: readonly string[];
  readonly computeUnits: bigint;
  readonly lamportsBefore: readonly bigint[];
  readonly lamportsAfter: readonly bigint[];
  readonly tokensBefore: readonly TokenBalance[];
  readonly tokensAfter: readonly TokenBalance[];
}

/** Refused: it is in no block, and costs nothing. */
export type Submission = { readonly kind: 'landed'; readonly landed: Landed } | { readonly kind: 'refused'; readonly reason: string };

export interface LocalOptions {
  /** Blocks from processed to finalised. The network's is 32. */
  readonly finalisedBehind?: number;
  /** A block every so many milliseconds by itself; 0 (the default): only by `advance`. The network's is 400. */
  readonly blockMs?: number;
}

/** Blocks for which a blockhash is good. */
const LIFETIME_BLOCKS = 150n;
const FIRST_HEIGHT = 200n;
/** The network skips slots; who takes a slot for a height must notice. */
const SKIPPED_SLOTS = 1000n;
const LAMPORTS_PER_SIGNATURE = 5000n;
/** In the millions of SOL: this money buys nothing. */
const FAUCET_LAMPORTS = 10n ** 15n;

/** A whole chain in this process. A transaction is executed when it comes, in the block being made, which is confirmed by the next one. */
export class LocalChain {
  /** Pays for everything done here by hand, and may mint and freeze. */
  readonly faucet: KeyPairSigner;
  readonly finalisedBehind: bigint;
  readonly genesisHash: string;
  readonly #engine: Engine;
  readonly #accounts: Accounts;
  readonly #seed = randomBytes(32);
  readonly #heights = new Map<string, bigint>();
  readonly #landed = new Map<Signature, Landed>();
  readonly #histories = new Map<Address, Landed[]>();
  readonly #waiting: { readonly wire: Uint8Array; readonly height: bigint }[] = [];
  #height = FIRST_HEIGHT;
  #byHand = 0n;
  #timer: NodeJS.Timeout | null = null;

  private constructor(engine: Engine, faucet: KeyPairSigner, { finalisedBehind = 32, blockMs = 0 }: LocalOptions) {
    this.#engine = engine;
    this.faucet = faucet;
    this.finalisedBehind = BigInt(finalisedBehind);
    this.genesisHash = this.#hashOf(0n);
    this.#accounts = new Accounts((address) => engine.account(address));
    for (let height = FIRST_HEIGHT - LIFETIME_BLOCKS; height <= FIRST_HEIGHT; height++) this.#heights.set(this.#hashOf(height), height);
    engine.setSlot(this.slot('processed'));
    engine.fund(faucet.address, FAUCET_LAMPORTS);
    if (blockMs > 0) this.#timer = setInterval(() => this.advance(), blockMs);
  }

  static async open(options: LocalOptions = {}): Promise<LocalChain> {
    return new LocalChain(await Engine.open(), await generateKeyPairSigner(), options);
  }

  close(): void {
    if (this.#timer) clearInterval(this.#timer);
  }

  height(commitment: Commitment = 'processed'): bigint {
    if (commitment === 'processed') return this.#height;
    return this.#height - (commitment === 'confirmed' ? 1n : this.finalisedBehind);
  }

  slot(commitment: Commitment): bigint {
    return this.height(commitment) + SKIPPED_SLOTS;
  }

  /** Ends so many blocks. */
  advance(blocks = 1): void {
    for (let block = 0; block < blocks; block++) {
      this.#heights.delete(this.#hashOf(this.#height - LIFETIME_BLOCKS));
      this.#heights.set(this.#hashOf(++this.#height), this.#height);
      this.#engine.setSlot(this.slot('processed'));
      const due = this.#waiting.filter(({ height }) => height <= this.#height);
      for (const waiting of due) {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        this.submit(waiting.wire);
      }
    }
  }

  /** Ends as many blocks as it takes for all that has landed to be finalised. */
  finalise(): void {
    this.advance(Number(this.finalisedBehind));
  }

  lifetime(commitment: Commitment): { readonly blockhash: string; readonly lastValidBlockHeight: bigint } {
    const height = this.height(commitment);
    return { blockhash: this.#hashOf(height), lastValidBlockHeight: height + LIFETIME_BLOCKS };
  }

  isRecent(hash: string): boolean {
    return this.#heights.has(hash);
  }

  rentOf(sizeBytes: bigint): bigint {
    return this.#engine.rentOf(sizeBytes);
  }

  account(address: Address, commitment: Commitment = 'processed'): Account | null {
    return this.#accounts.at(address, this.slot(commitment));
  }

  transaction(signature: string): Landed | null {
    return this.#landed.get(signature as Signature) ?? null;
  }

  commitmentOf({ slot }: Landed): Commitment {
    if (slot <= this.slot('finalized')) return 'finalized';
    return slot <= this.slot('confirmed') ? 'confirmed' : 'processed';
  }

  /** Transactions that name an address, newest first. */
  history(address: Address, commitment: Commitment): readonly Landed[] {
    return (this.#histories.get(address) ?? []).filter(({ slot }) => slot <= this.slot(commitment)).toReversed();
  }

  /** Executes it now, or says why no block will have it. */
  submit(wire: Uint8Array): Submission {
    if (wire.length > TRANSACTION_BYTES_MAX) return { kind: 'refused', reason: 'TooLarge' };
    const message = messageOf(wire);
    const reason = this.#refusal(message);
    if (reason) return { kind: 'refused', reason };
    const { accounts, writable } = message;
    const lamports = (): bigint[] => accounts.map((address) => this.#engine.balance(address));
    const tokens = (): TokenBalance[] => balancesOf(accounts, writable, (address) => this.#engine.account(address));
    const before = { lamports: lamports(), tokens: tokens() };
    const slot = this.slot('processed');
    const { error, logs, computeUnits } = this.#accounts.keep(writable, slot, this.slot('finalized'), () => this.#engine.execute(wire));
    // Any other error leaves the fee unpaid: then no leader puts it into a block.
    if (typeof error === 'string') return { kind: 'refused', reason: error };
    const landed: Landed = {
      ...{ message, wire, slot, timeMs: Date.now(), error, logs, computeUnits },
      ...{ lamportsBefore: before.lamports, lamportsAfter: lamports(), tokensBefore: before.tokens, tokensAfter: tokens() },
    };
    this.#landed.set(message.signature, landed);
    for (const address of new Set(accounts)) {
      const history = this.#histories.get(address);
      if (history) history.push(landed);
      else this.#histories.set(address, [landed]);
    }
    return { kind: 'landed', landed };
  }

  /** Executes it so many blocks later, if it may still land then. */
  submitLater(wire: Uint8Array, blocks: number): void {
    this.#waiting.push({ wire, height: this.#height + BigInt(blocks) });
  }

  /** What it would do to the present state, whatever its blockhash where that is to be replaced. */
  simulate(wire: Uint8Array, options: { readonly verifiesSignatures: boolean; readonly replacesBlockhash: boolean }): Execution {
    const refusal = options.replacesBlockhash ? null : this.#refusal(messageOf(wire));
    if (refusal) return { error: refusal, logs: [], computeUnits: 0n };
    return this.#engine.simulate(wire, options.verifiesSignatures);
  }

  /** One transaction made by hand, in the block being made. */
  async transact(instructions: readonly Instruction[], payer: KeyPairSigner = this.faucet): Promise<Submission> {
    // The next blockhash each time: the same request twice must not be the same bytes.
    const height = this.#height - (this.#byHand++ % (LIFETIME_BLOCKS / 2n));
    const message = pipe(
      createTransactionMessage({ version: 'legacy' }),
      (empty) => setTransactionMessageFeePayerSigner(payer, empty),
      (paid) =>
        setTransactionMessageLifetimeUsingBlockhash({ blockhash: blockhash(this.#hashOf(height)), lastValidBlockHeight: height + LIFETIME_BLOCKS }, paid),
      (lasting) => appendTransactionMessageInstructions(instructions, lasting),
    );
    return this.submit(new Uint8Array(getTransactionEncoder().encode(await signTransactionMessageWithSigners(message))));
  }

  async airdrop(to: Address, lamports: bigint): Promise<Landed> {
    return this.#landing([getTransferSolInstruction({ source: this.faucet, destination: to, amount: lamports })]);
  }

  /** Its authorities are the faucet's. By default of SPL Token. */
  async createMint(decimals: number, program?: Address): Promise<Address> {
    const mint = await generateKeyPairSigner();
    await this.#landing(mintInstructions(this.faucet, mint, decimals, (sizeBytes) => this.rentOf(sizeBytes), program));
    return mint.address;
  }

  /** Opens the owner's associated account where it has none. */
  async mintTo(mint: Address, owner: Address, amount: bigint): Promise<Landed> {
    return this.#landing(await mintToInstructions(this.faucet, mint, owner, amount));
  }

  /** In the owner's associated account. */
  async tokenBalance(mint: Address, owner: Address, commitment: Commitment = 'processed'): Promise<bigint> {
    return holdingOf(this.account(await tokenAccountOf(owner, mint), commitment))?.amount ?? 0n;
  }

  feeOf({ message }: Landed): bigint {
    return LAMPORTS_PER_SIGNATURE * BigInt(message.signatures.length);
  }

  async #landing(instructions: readonly Instruction[]): Promise<Landed> {
    const submission = await this.transact(instructions);
    if (submission.kind === 'refused') throw new Error(`local chain: refused, ${submission.reason}`);
    if (submission.landed.error) throw new Error(`local chain: failed, ${submission.landed.logs.join('; ')}`);
    return submission.landed;
  }

  #refusal({ signature, blockhash }: Message): 'AlreadyProcessed' | 'BlockhashNotFound' | null {
    if (this.#landed.has(signature)) return 'AlreadyProcessed';
    return this.isRecent(blockhash) ? null : 'BlockhashNotFound';
  }

  #hashOf(height: bigint): string {
    return getBase58Decoder().decode(createHash('sha256').update(this.#seed).update(`${height}`).digest());
  }
}
