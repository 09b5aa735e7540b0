/** Names and words that come from anywhere: they may be long, and may hold characters that change how the text around them is read. */

/** Controls, line breaks, and what embeds, overrides or isolates the direction of text (Unicode Bidi_Control). */
const unseen = /[\p{Cc}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/** Of a name that is shown, in code points. */
const SHOWN_CHARS_MAX = 80;

const points = (text: string): string[] => Array.from(text);

export const withoutUnseen = (text: string): string => text.replace(unseen, '');

/** The first so many code points. */
export const cut = (text: string, charsMax: number): string => points(text).slice(0, charsMax).join('');

/** A name as one line of text; show it in a `<bdi>`. */
export function shownName(name: string): string {
  const plain = withoutUnseen(name);
  return points(plain).length > SHOWN_CHARS_MAX ? `${cut(plain, SHOWN_CHARS_MAX - 1)}…` : plain;
}
