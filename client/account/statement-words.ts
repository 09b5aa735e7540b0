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
  deposit: 'Paid in',
  withdrawal: 'Withdrawn',
};

/** The account that a row changes, where the kind does not say it. */
export const accountWords: Readonly<Record<StatementRow['account'], string>> = {
  grant: 'granted',
  deposited: 'paid in',
  earned: 'earned',
  vesting: 'vesting',
  site: 'site',
};

/** Words for a kind of transfer; one that this page does not know yet is shown as it is. */
export const kindWords = (kind: string): string => kinds[kind] ?? kind;
