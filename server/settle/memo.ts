/**
 * What a batch says about itself on the chain, for ever: the epoch and root of earnings (see `server/earnings.ts`), and which withdrawals it pays.
 * `tessera1 12 ROOT ID,ID+`: ids without their `w_`, a plus where an account was opened. A journal that was lost is learned anew from it.
 */
export interface Memo {
  readonly epoch: number;
  /** Base64url of 32 bytes; `-` before there was one. */
  readonly root: string;
  readonly payments: readonly { readonly id: string; readonly opensAccount: boolean }[];
}

const PREFIX = 'w_';
const memoText = /^tessera1 (\d{1,15}) ([A-Za-z0-9_-]{43}|-) ([A-Za-z0-9_-]{16}\+?(?:,[A-Za-z0-9_-]{16}\+?)*)$/;

export const writeMemo = ({ epoch, root, payments }: Memo): string =>
  `tessera1 ${epoch} ${root} ${payments.map(({ id, opensAccount }) => id.slice(PREFIX.length) + (opensAccount ? '+' : '')).join(',')}`;

/** Null: it is none of ours. */
export function readMemo(text: string): Memo | null {
  const [, epoch, root, ids] = memoText.exec(text) ?? [];
  if (epoch === undefined || root === undefined || ids === undefined) return null;
  const payments = ids.split(',').map((id) => ({ id: PREFIX + id.replace('+', ''), opensAccount: id.endsWith('+') }));
  return { epoch: Number(epoch), root, payments };
}
