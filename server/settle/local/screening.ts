import type { Screening } from '../../screening.ts';

/** On a chain whose money buys nothing everybody may be paid. */
export const screen: Screening = () => true;
