import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply } from 'fastify';
import { Type } from 'typebox';
import { workload, workloadIds } from '../../shaders/registry.ts';
import { HOUR_MS } from '../../shared/limits.ts';
import { examplesView } from '../../shared/schemas.ts';
import type { WorkloadSample } from '../../shared/workload.ts';
import { HttpError } from './errors.ts';

const CACHED_MS = HOUR_MS;

interface Example {
  readonly workload: string;
  readonly sample: WorkloadSample;
}

async function readAll(): Promise<Example[]> {
  const all = await Promise.all(
    workloadIds.map(async (id) => ((await (await workload(id)?.samples())?.samples()) ?? []).map((sample) => ({ workload: id, sample }))),
  );
  return all.flat();
}

let reading: Promise<Example[]> | undefined;
/** Made by code, on the first question and once in a process; a failure is not kept. */
const examples = (): Promise<Example[]> => {
  reading ??= readAll().catch((error: unknown) => {
    reading = undefined;
    throw error;
  });
  return reading;
};

const name = Type.String({ maxLength: 40 });
const examplePath = { workload: name, example: name };
/** For the pages: it is not in the description of the API. */
const config = { scope: 'any' } as const;

function sendBytes(reply: FastifyReply, mediaType: string, bytes: Uint8Array): FastifyReply {
  return reply.type(mediaType).send(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
}

/** The workloads' own samples, as orders to start from: for everybody. */
export const exampleRoutes = (): FastifyPluginAsyncTypebox => async (app) => {
  const find = async (of: { workload: string; example: string }): Promise<WorkloadSample> => {
    const found = (await examples()).find((each) => each.workload === of.workload && each.sample.id === of.example);
    if (!found) throw new HttpError('not_found', 'There is no such example.');
    return found.sample;
  };
  app.addHook('onSend', async (_request, reply) => void (reply.statusCode === 200 && reply.header('cache-control', `public, max-age=${CACHED_MS / 1000}`)));

  app.get('/api/examples', { config, schema: { response: { 200: examplesView } } }, async () => ({
    examples: (await examples()).map(({ workload: id, sample }) => ({
      workload: id,
      id: sample.id,
      title: sample.title,
      params: sample.params,
      files: Object.entries(sample.files).map(([file, { byteLength }]) => ({ name: file, bytes: byteLength })),
    })),
  }));

  app.get('/api/examples/:workload/:example/picture', { config, schema: { params: Type.Object(examplePath) } }, async (request, reply) => {
    const { picture } = await find(request.params);
    return sendBytes(reply, picture.mediaType, picture.bytes);
  });

  app.get('/api/examples/:workload/:example/files/:name', { config, schema: { params: Type.Object({ ...examplePath, name }) } }, async (request, reply) => {
    const { files } = await find(request.params);
    const bytes = Object.hasOwn(files, request.params.name) ? files[request.params.name] : undefined;
    if (!bytes) throw new HttpError('not_found', 'This example has no such file.');
    return sendBytes(reply, 'application/octet-stream', bytes);
  });
};
