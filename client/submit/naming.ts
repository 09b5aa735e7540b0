import { limits } from '../../shared/limits.ts';
import { cut, withoutUnseen } from '../ui/names.ts';

/** A title to begin with: the name without its extension. */
export const titleFrom = (name: string): string =>
  cut(
    withoutUnseen(name)
      .replace(/\.[^.]+$/, '')
      .trim(),
    limits.titleCharsMax,
  );

/** What is wrong with a title; undefined where nothing is. */
export const titleError = (title: string): string | undefined =>
  Array.from(title.trim()).length > limits.titleCharsMax ? `At most ${limits.titleCharsMax} characters.` : undefined;
