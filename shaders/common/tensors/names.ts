import { tensorLimits } from './limits.ts';

/** Control characters, and those that turn the direction of text, could forge what a message says. */
export const shown = (name: string): string => name.replace(/\p{C}/gu, '\ufffd');

/** A stranger's name, in quotes, for a message. */
export const told = (name: string): string => JSON.stringify(shown(name.slice(0, tensorLimits.nameToldCharsMax)));
