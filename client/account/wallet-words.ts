import { WalletError } from '@solana/wallet-adapter-base';

/** Rejections as plain sentences: what happened, and that nothing else did. */
const openings: Readonly<Record<string, string>> = {
  WalletNotReadyError: 'This wallet cannot sign in here',
  WalletConnectionError: 'The wallet did not connect',
  WalletAccountError: 'The wallet answered for another account',
  WalletSignInError: 'The wallet did not sign, so you are not signed in',
  WalletSignMessageError: 'The wallet did not sign, so you are not signed in',
  WalletDisconnectionError: 'The wallet did not disconnect',
};

export function walletProblem(error: unknown): { title: string; detail: string } {
  if (!(error instanceof WalletError)) return { title: 'Signing in failed', detail: error instanceof Error ? error.message : String(error) };
  return { title: openings[error.name] ?? 'The wallet reported a problem', detail: error.message || 'It gave no reason. Nothing was changed.' };
}
