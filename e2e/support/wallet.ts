import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import type { SolanaSignInInput } from '@solana/wallet-standard-features';
import { createSignInMessageText } from '@solana/wallet-standard-util';
import type { Page } from 'playwright';

/** A Wallet Standard wallet with an Ed25519 key: the key stays here, the page sees what an extension would inject. */
export interface TestWallet {
  /** Base58, as pages and people see it. */
  readonly address: string;
  readonly name: string;
}

const ALPHABET = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';

export function base58(bytes: Uint8Array): string {
  let value = BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
  let text = '';
  for (; value > 0n; value /= 58n) text = ALPHABET[Number(value % 58n)] + text;
  const zeros = bytes.findIndex((byte) => byte !== 0);
  return '1'.repeat(zeros === -1 ? bytes.length : zeros) + text;
}

/** RFC 8410: what stands before the 32 bytes of an Ed25519 key. */
const PKCS8_HEADER = Buffer.from('302e020100300506032b657004220420', 'hex');

/** The key of a wallet from the bytes that `solana-keygen` writes. */
export const keyOf = (bytes: Uint8Array): KeyObject =>
  createPrivateKey({ key: Buffer.concat([PKCS8_HEADER, bytes.subarray(0, 32)]), format: 'der', type: 'pkcs8' });

/** Makes a wallet, with a key of its own where none is given, and has every later document of the page find it. */
export async function injectWallet(page: Page, privateKey: KeyObject = generateKeyPairSync('ed25519').privateKey): Promise<TestWallet> {
  const raw = createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(-32);
  const wallet = { address: base58(raw), name: 'Test Wallet' };
  const signed = (message: Buffer): { message: number[]; signature: number[] } => ({ message: [...message], signature: [...sign(null, message, privateKey)] });
  await page.exposeFunction('testWalletSignIn', (input: SolanaSignInInput) =>
    signed(Buffer.from(createSignInMessageText({ ...input, domain: input.domain ?? new URL(page.url()).host, address: wallet.address }))),
  );
  await page.exposeFunction('testWalletSignMessage', (message: number[]) => signed(Buffer.from(message)));
  await page.addInitScript(register, { ...wallet, publicKey: [...raw] });
  return wallet;
}

/** What its owner does in the wallet's own window, the next time or now. */
export const inWallet = (page: Page, act: 'reject' | 'answer for another' | 'lock' | 'switch'): Promise<void> =>
  page.evaluate((act) => (globalThis as unknown as { testWallet(act: string): void }).testWallet(act), act);

interface Injected {
  readonly address: string;
  readonly name: string;
  readonly publicKey: number[];
}

type Signed = { message: number[]; signature: number[] };
interface Bridge {
  testWalletSignIn(input: object): Promise<Signed>;
  testWalletSignMessage(message: number[]): Promise<Signed>;
}

/** Runs in the page: must refer to nothing outside of itself. */
function register({ address, name, publicKey }: Injected): void {
  const bridge = globalThis as unknown as Bridge;
  const chains = ['solana:mainnet', 'solana:devnet'];
  const account = { address, publicKey: Uint8Array.from(publicKey), chains, features: ['solana:signIn', 'solana:signMessage', 'solana:signTransaction'] };
  const listeners = new Set<(change: object) => void>();
  let accounts: readonly (typeof account)[] = [];
  const setAccounts = (now: typeof accounts): void => {
    accounts = now;
    for (const listener of listeners) listener({ accounts });
  };
  const bytes = (values: number[]): Uint8Array => Uint8Array.from(values);
  const other = { ...account, address: '4'.repeat(44), publicKey: new Uint8Array(32).fill(4) };
  let next: string | null = null;
  Object.assign(globalThis, {
    testWallet(act: string) {
      if (act === 'lock') setAccounts([]);
      else if (act === 'switch') setAccounts([other]);
      else next = act;
    },
  });
  /** What its owner decided for this one request. */
  const decided = (): typeof account => {
    const act = next;
    next = null;
    if (act === 'reject') throw new Error('User rejected the request.');
    return act === null ? account : other;
  };
  const wallet = {
    version: '1.0.0',
    name,
    icon: 'data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciLz4=',
    chains,
    get accounts() {
      return accounts;
    },
    features: {
      'standard:connect': {
        version: '1.0.0',
        connect: async () => {
          setAccounts([account]);
          return { accounts };
        },
      },
      'standard:disconnect': { version: '1.0.0', disconnect: async () => setAccounts([]) },
      'standard:events': {
        version: '1.0.0',
        on: (_event: string, listener: (change: object) => void) => {
          listeners.add(listener);
          return () => listeners.delete(listener);
        },
      },
      'solana:signIn': {
        version: '1.0.0',
        signIn: async (...inputs: object[]) => {
          const account = decided();
          const outputs = await Promise.all((inputs.length > 0 ? inputs : [{}]).map((input) => bridge.testWalletSignIn(input)));
          return outputs.map(({ message, signature }) => ({ account, signedMessage: bytes(message), signature: bytes(signature) }));
        },
      },
      'solana:signMessage': {
        version: '1.0.0',
        signMessage: async (...inputs: { message: Uint8Array }[]) => {
          const outputs = await Promise.all(inputs.map(({ message }) => bridge.testWalletSignMessage([...message])));
          return outputs.map(({ message, signature }) => ({ signedMessage: bytes(message), signature: bytes(signature) }));
        },
      },
      'solana:signTransaction': {
        version: '1.0.0',
        supportedTransactionVersions: ['legacy', 0],
        signTransaction: async () => {
          throw new Error('this wallet signs no transactions');
        },
      },
    },
  };
  // The handshake of @wallet-standard/wallet: whoever is there first, page or wallet, is heard by the other.
  const announce = ({ register: take }: { register(wallet: object): void }): void => take(wallet);
  window.dispatchEvent(new CustomEvent('wallet-standard:register-wallet', { detail: announce }));
  window.addEventListener('wallet-standard:app-ready', (event) => announce((event as CustomEvent).detail));
}
