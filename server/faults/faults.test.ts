import { test } from 'vitest';
import { expectAllRight, RUN_MS_MAX } from './runs.testing.ts';

/*
 * A thousand worlds from their seeds, half of them here and half in the file beside it, which another worker runs meanwhile. `simulate.testing.ts` tells
 * what happens in one, `invariants.testing.ts` what must not come of it.
 */
test('after kills, pauses, restarts of the database and bad lines everything is there, once: seeds 1 to 500', () => expectAllRight(1, 500), RUN_MS_MAX);
