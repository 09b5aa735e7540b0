import type { StatementRow } from '../../shared/schemas.ts';

const kinds: Readonly<Record<string, string>> = {
  grant: 'Test credits granted',
  hold: 'Held for a job',
  pay: 'Tile accepted',
  vest: 'Vested',
  void: 'Taken back: proven wrong before it vested',
  audit: 'Audit of another’s result',
  'site share': 'Share of a visitor’s tile',
  refund: 'Back from a job',
  claim: 'Moved to the wallet',
  deposit: 'Paid in from the wallet',
};

/** The account that a row changes, where the kind does not say it. */
export const accountWords: Readonly<Record<StatementRow['account'], string>> = {
  grant: 'granted',
  deposited: 'paid in',
  earned: 'earned',
  vesting: 'vesting',
  site: 'site',
};

/** Words for a row by its kind and amount; a kind that this page does not know yet is shown as it is. */
export function kindWords({ kind, microCredits }: Pick<StatementRow, 'kind' | 'microCredits'>): string {
  if (kind !== 'withdrawal') return kinds[kind] ?? kind;
  // It is held first; its end takes nothing more, or gives back.
  const amount = BigInt(microCredits);
  return amount < 0n ? 'Held for a withdrawal' : amount === 0n ? 'Withdrawal paid out' : 'Withdrawal given back';
}
