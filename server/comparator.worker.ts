import { parentPort, workerData } from 'node:worker_threads';
import { serve } from './comparator.testing.ts';

/** A thread of comparator.bench.ts. */
if (!parentPort) throw new Error('this runs in a worker thread');
serve(parentPort, workerData.pictures);
