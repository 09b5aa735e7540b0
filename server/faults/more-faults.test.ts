import { test } from 'vitest';
import { expectAllRight, RUN_MS_MAX } from './runs.testing.ts';

/*
 * A thousand worlds from their seeds, half of them here and half in the file beside it, which another worker runs meanwhile. `simulate.testing.ts` tells
 * what happens in one, `invariants.testing.ts` what must not come of it.
 */
test('after kills, pauses, restarts of the database and bad lines everything is there, once: seeds 501 to 1000', () => expectAllRight(501, 1000), RUN_MS_MAX);
