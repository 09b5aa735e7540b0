import { parentPort, workerData } from 'node:worker_threads';
import { PeerReference } from './peerReference.ts';
import { type PeerSceneName, peerScene } from './peerScenes.ts';

/** Renders batches of a comparison scene's reference, one for each seed that it is sent. */

const { scene, size, samples } = workerData as { scene: PeerSceneName; size: number; samples: number };
const reference = new PeerReference(peerScene(scene));
parentPort?.on('message', (seed: number) => parentPort?.postMessage(reference.render(size, samples, seed)));
