import { WalletAccountError, WalletNotReadyError } from '@solana/wallet-adapter-base';
import { getWallets } from '@wallet-standard/app';
import type { Challenge, SignIn } from '../../shared/schemas.ts';
import { api } from '../net/api.ts';
import { session } from '../net/session.svelte.ts';
import { connectWallet, isSolanaWallet, type SolanaWallet, signChallenge } from './wallet-sign-in.ts';
import { walletProblem } from './wallet-words.ts';

const KEY = 'tessera.wallet';

function remembered(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function remember(name: string): void {
  try {
    localStorage.setItem(KEY, name);
  } catch {
    // Then a switch of accounts after a reload is noticed only at the next connection.
  }
}

/** Wallets of this browser, and signing in with one of them. Wallets register whenever they like, also late. */
class WalletConnector {
  #wallets = $state.raw<readonly SolanaWallet[]>([]);
  #busy = $state<'connecting' | 'signing' | null>(null);
  #problem = $state.raw<{ title: string; detail: string } | null>(null);
  #news = $state('');
  #unfollow: (() => void) | null = null;

  get wallets(): readonly SolanaWallet[] {
    return this.#wallets;
  }
  get busy(): 'connecting' | 'signing' | null {
    return this.#busy;
  }
  get problem(): { title: string; detail: string } | null {
    return this.#problem;
  }
  get news(): string {
    return this.#news;
  }

  /** Call once per page view; returns the way to stop listening. */
  detect(): () => void {
    const { get, on } = getWallets();
    const list = (): void => {
      this.#wallets = get().filter(isSolanaWallet);
      void this.#resume();
    };
    list();
    const offs = [on('register', list), on('unregister', list)];
    return () => {
      for (const off of offs) off();
    };
  }

  async signIn(wallet: SolanaWallet): Promise<void> {
    this.#problem = null;
    this.#news = '';
    this.#busy = 'connecting';
    try {
      const account = await connectWallet(wallet);
      if (!account) return;
      this.#busy = 'signing';
      const challenge = await api.challenge(account.address);
      session.account = await api.signIn(await signChallenge(wallet, account, challenge));
      remember(wallet.name);
      this.#follow(wallet, account.address);
    } catch (error) {
      this.#problem = walletProblem(error);
    } finally {
      this.#busy = null;
    }
  }

  /** Has the wallet that is signed in sign a text, whatever it is for. Throws a `WalletError` when it does not. */
  async sign(challenge: Challenge): Promise<SignIn> {
    const address = session.account?.wallet;
    const wallet = this.#wallets.find(({ name }) => name === remembered());
    if (!address || !wallet) throw new WalletNotReadyError('Unlock or install the wallet that you signed in with, or sign out and connect another.');
    const account = await connectWallet(wallet);
    if (account?.address !== address) throw new WalletAccountError(`It shows ${account?.address}, signed in is ${address}.`);
    if (!this.#unfollow) this.#follow(wallet, address);
    return signChallenge(wallet, account, challenge);
  }

  async signOut(news = 'Signed out. This browser has an account of its own again.'): Promise<void> {
    this.#unfollow?.();
    this.#unfollow = null;
    try {
      session.account = await api.signOut();
      this.#news = news;
    } catch (error) {
      this.#problem = walletProblem(error);
    }
  }

  /** After a reload the session is still signed in: listen to its wallet again, without opening a window. */
  async #resume(): Promise<void> {
    const address = session.account?.wallet;
    const wallet = this.#wallets.find(({ name }) => name === remembered());
    if (!address || !wallet || this.#unfollow || this.#busy) return;
    const account = await connectWallet(wallet, true);
    if (!account) return;
    if (account.address === address) this.#follow(wallet, address);
    else await this.#switched();
  }

  #follow(wallet: SolanaWallet, address: string): void {
    this.#unfollow?.();
    this.#unfollow = wallet.features['standard:events'].on('change', ({ accounts }) => {
      if (accounts && !accounts.some((account) => account.address === address)) void this.#switched();
    });
  }

  async #switched(): Promise<void> {
    // Deleted: nobody is signed in, and no session is to be made for that.
    if (session.account)
      await this.signOut('The wallet was locked or switched to another account, so you are signed out. Connect it to sign in with the account it shows now.');
  }
}

export const wallet = new WalletConnector();
