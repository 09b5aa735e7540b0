import type { HoldReason } from '../engine/api.ts';

/** Why it stands still and when it goes on, for people. */
export const holdWords: Readonly<Record<HoldReason, string>> = {
  owner: 'You pressed Pause.',
  hidden: 'The card cannot be seen. It goes on when it can.',
  frozen: 'The browser has put this tab to sleep. It goes on when the tab wakes up.',
  battery: 'The device runs on battery. It goes on when it is plugged in.',
  pressure: 'The whole machine is under heavy load. It goes on ten seconds after that is over.',
  saveData: 'The browser is told to save data. It goes on when that is switched off.',
  hours: 'Now is not one of your hours. It goes on by itself when they begin.',
  unpaid: 'The last minutes cost more electricity than they earned. It tries again within the hour.',
  busy: 'Something else needs the GPU. It goes on when that is over.',
};
