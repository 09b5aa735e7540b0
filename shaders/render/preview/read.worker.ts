import { InputError } from '../../../shared/workload.ts';
import { readHdr } from '../hdr.ts';
import { shrink } from './environment.ts';
import type { ReadAnswer, ReadRequest } from './read.ts';
import { readModel } from './readModel.ts';

/** Reads files beside the page, which goes on answering hands meanwhile. One request, one answer. */
const page = globalThis as unknown as {
  onmessage: ((event: { readonly data: ReadRequest }) => void) | null;
  postMessage(answer: ReadAnswer, transfer: readonly ArrayBuffer[]): void;
};

const bytesOf = async (file: Blob): Promise<Uint8Array> => new Uint8Array(await file.arrayBuffer());

async function read({ model, environment }: ReadRequest): Promise<void> {
  try {
    const map = environment ? shrink(readHdr(await bytesOf(environment))) : null;
    const scene = model ? await readModel(await bytesOf(model)) : null;
    page.postMessage({ model: scene, environment: map }, [...(scene?.buffers ?? []), ...(scene?.images ?? []), ...(map ? [map.halves.buffer] : [])]);
  } catch (error) {
    if (error instanceof InputError) page.postMessage({ refused: { field: error.field, message: error.message, limit: error.limit } }, []);
    else page.postMessage({ failed: error instanceof Error ? error.message : String(error) }, []);
  }
}

page.onmessage = ({ data }) => void read(data);
