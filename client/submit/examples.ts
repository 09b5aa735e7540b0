import type { ExampleView } from '../../shared/schemas.ts';
import { api } from '../net/api.ts';

let asked: Promise<readonly ExampleView[]> | undefined;

/** Orders to start from, of all kinds: asked for once, and again after a failure. */
export const allExamples = (): Promise<readonly ExampleView[]> => {
  asked ??= api.examples().catch((error: unknown) => {
    asked = undefined;
    throw error;
  });
  return asked;
};
