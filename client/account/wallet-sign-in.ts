import {
  isWalletAdapterCompatibleStandardWallet,
  WalletAccountError,
  type WalletAdapterCompatibleStandardWallet,
  WalletConnectionError,
  WalletNotReadyError,
  WalletReadyState,
  WalletSignInError,
  WalletSignMessageError,
} from '@solana/wallet-adapter-base';
import type { SolanaSignInFeature, SolanaSignMessageFeature } from '@solana/wallet-standard-features';
import type { Wallet, WalletAccount } from '@wallet-standard/base';
import { toBase64Url } from '../../shared/formats.ts';
import type { Challenge, SignIn } from '../../shared/schemas.ts';

export type SolanaWallet = WalletAdapterCompatibleStandardWallet;

export const isSolanaWallet = (wallet: Wallet): wallet is SolanaWallet => isWalletAdapterCompatibleStandardWallet(wallet);

const canSignIn = (features: object): features is SolanaSignInFeature => 'solana:signIn' in features;
const canSignMessage = (features: object): features is SolanaSignMessageFeature => 'solana:signMessage' in features;

/** Installed, or unable to prove an address: signing transactions alone is not enough. */
export const readyState = ({ features }: Wallet): WalletReadyState =>
  canSignIn(features) || canSignMessage(features) ? WalletReadyState.Installed : WalletReadyState.Unsupported;

const reason = (error: unknown): string => (error instanceof Error ? error.message : '');

/** The account the wallet offers for Solana. `silent` asks without a window and gives null when that is not possible. */
export async function connectWallet(wallet: SolanaWallet, silent = false): Promise<WalletAccount | null> {
  if (readyState(wallet) === WalletReadyState.Unsupported) throw new WalletNotReadyError('It can neither sign in nor sign a message.');
  let accounts: readonly WalletAccount[];
  try {
    ({ accounts } = await wallet.features['standard:connect'].connect(silent ? { silent } : undefined));
  } catch (error) {
    if (silent) return null;
    throw new WalletConnectionError(reason(error), error);
  }
  const account = accounts.find(({ chains }) => chains.some((chain) => chain.startsWith('solana:')));
  if (!account && !silent) throw new WalletConnectionError('It shared no Solana account.');
  return account ?? null;
}

/** Has the wallet sign the challenge: by `solana:signIn`, or the same text as a plain message where that is missing. */
export async function signChallenge(wallet: SolanaWallet, account: WalletAccount, challenge: Challenge): Promise<SignIn> {
  const { features } = wallet;
  let signed: { readonly signedMessage: Uint8Array; readonly signature: Uint8Array; readonly account?: WalletAccount } | undefined;
  if (canSignIn(features)) {
    try {
      [signed] = await features['solana:signIn'].signIn(challenge.input);
    } catch (error) {
      throw new WalletSignInError(reason(error), error);
    }
    if (!signed) throw new WalletSignInError('It returned nothing.');
  } else if (canSignMessage(features)) {
    try {
      [signed] = await features['solana:signMessage'].signMessage({ account, message: new TextEncoder().encode(challenge.text) });
    } catch (error) {
      throw new WalletSignMessageError(reason(error), error);
    }
  }
  if (!signed) throw new WalletSignMessageError('It returned nothing.');
  if (signed.account && signed.account.address !== account.address)
    throw new WalletAccountError(`It signed for ${signed.account.address}, asked was ${account.address}.`);
  return { nonce: challenge.nonce, signedMessage: toBase64Url(signed.signedMessage), signature: toBase64Url(signed.signature) };
}
