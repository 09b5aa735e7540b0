import type { ReportReason } from '../../shared/schemas.ts';

/** What is wrong with a job, in words: for who reports it, and for the operator. */
export const reportReasons: Readonly<Record<ReportReason, string>> = {
  illegal: 'Against the law',
  sexual: 'Sexual',
  violent: 'Violent or hateful',
  personal: 'Shows a person who has not agreed',
  rights: 'Somebody else’s work',
  other: 'Something else',
};
