import { InputError } from '../../../shared/workload.ts';
import type { PreviewEnvironment } from './environment.ts';
import type { ReadModel } from './readModel.ts';

export interface ReadRequest {
  readonly model: Blob | undefined;
  readonly environment: Blob | undefined;
}

export interface ReadFiles {
  readonly model: ReadModel | null;
  readonly environment: PreviewEnvironment | null;
}

export type ReadAnswer = ReadFiles | { readonly refused: { field: string; message: string; limit: string | undefined } } | { readonly failed: string };

/** Throws `InputError` for files that the coordinator would refuse. */
export async function readFiles({ model, environment }: Readonly<Record<string, Blob>>, signal: AbortSignal): Promise<ReadFiles> {
  if (!model && !environment) return { model: null, environment: null };
  const worker = new Worker(new URL('./read.worker.ts', import.meta.url), { type: 'module' });
  try {
    const answer = await new Promise<ReadAnswer>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      signal.throwIfAborted();
      worker.onmessage = ({ data }) => resolve(data as ReadAnswer);
      worker.onerror = ({ message }) => reject(new Error(message || 'the file reader could not be started'));
      worker.postMessage({ model, environment } satisfies ReadRequest);
    });
    if ('refused' in answer) throw new InputError(answer.refused.field, answer.refused.message, answer.refused.limit);
    if ('failed' in answer) throw new Error(answer.failed);
    return answer;
  } finally {
    worker.terminate();
  }
}
