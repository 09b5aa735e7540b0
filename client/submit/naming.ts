import { limits } from '../../shared/limits.ts';

/** Names of files come from anywhere: they may be long, and may hold characters that change how the text around them is read. */

/** Controls, line breaks, and what embeds, overrides or isolates the direction of text (Unicode Bidi_Control). */
const unseen = /[\p{Cc}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/** Of a name that is shown, in code points. */
const SHOWN_CHARS_MAX = 80;

const points = (text: string): string[] => Array.from(text);

/** The first so many code points. */
export const cut = (text: string, charsMax: number): string => points(text).slice(0, charsMax).join('');

/** A name as one line of text; show it in a `<bdi>`. */
export function shownName(name: string): string {
  const plain = name.replace(unseen, '');
  return points(plain).length > SHOWN_CHARS_MAX ? `${cut(plain, SHOWN_CHARS_MAX - 1)}…` : plain;
}

/** A title to begin with: the name without its extension. */
export const titleFrom = (name: string): string =>
  cut(
    name
      .replace(unseen, '')
      .replace(/\.[^.]+$/, '')
      .trim(),
    limits.titleCharsMax,
  );

/** What is wrong with a title; undefined where nothing is. */
export const titleError = (title: string): string | undefined =>
  points(title.trim()).length > limits.titleCharsMax ? `At most ${limits.titleCharsMax} characters.` : undefined;
