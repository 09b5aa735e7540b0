import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { Value } from 'typebox/value';
import { workload, workloadIds } from '../shaders/registry.ts';
import { encodeResult } from '../shared/formats.ts';
import { fullMask, type JobId } from '../shared/model.ts';
import type { AcceptedResult } from '../shared/workload.ts';

/**
 * `npm run reference`: a whole job on the CPU by the reference implementation, without coordinator or GPU. With the seed of
 * a job it makes the result that honest contributors must have made, for comparing by eye or by a script.
 */
const usage = `npm run reference -- --workload ID --params JSON [--file NAME=PATH]... --seed N --output ID --out PATH
  --workload  ${workloadIds.join(' | ')}
  --params    parameters of the job; what is left out takes its default
  --file      an input file, such as model=scene.glb
  --seed      0 to 4294967295
  --output    which output to write (png, exr, ...)`;

const { values } = parseArgs({
  options: {
    workload: { type: 'string', default: workloadIds[0] ?? '' },
    params: { type: 'string', default: '{}' },
    file: { type: 'string', multiple: true, default: [] },
    seed: { type: 'string', default: '0' },
    output: { type: 'string', default: '' },
    out: { type: 'string', default: '' },
    help: { type: 'boolean', default: false },
  },
});

async function run(): Promise<void> {
  const entry = workload(values.workload);
  if (!entry || values.out === '') throw new Error(usage);
  const { spec } = entry;
  const params = { ...(spec.defaults as object), ...(JSON.parse(values.params) as object) };
  const error = Value.Errors((await entry.form()).params, params)[0];
  if (error) throw new Error(`params${error.instancePath}: ${error.message}`);
  const files = await Promise.all(
    values.file.map(async (pair) => {
      const [name = '', path = ''] = pair.split(/=(.*)/s);
      return [name, new Uint8Array(await readFile(path))] as const;
    }),
  );
  const { prepared, inputs } = await (await entry.prepare()).prepare(params, Object.fromEntries(files));
  const job = { id: 'j_reference0000000' as JobId, seed: Number(values.seed), params, prepared };
  const check = await entry.check();
  const loaded = check.load(job, inputs);
  const grid = spec.split(params, prepared);
  async function* results(): AsyncGenerator<AcceptedResult> {
    for (let tile = 0; tile < grid.tiles; tile++) {
      for (let pass = 0; pass < grid.passes; pass++) {
        const parts = fullMask(spec.parts(job, { pass, tile }));
        const rendered = await check.render(loaded, job, { pass, tile }, parts);
        yield { tile: { pass, tile }, parts, bytes: encodeResult(rendered, spec.elements(job, { pass, tile }), spec.elementWords(job, { pass, tile })) };
      }
    }
  }
  const output = values.output || spec.outputs(job)[0]?.id || '';
  await writeFile(values.out, (await entry.assemble()).assemble(job, output, results()));
}

if (values.help) console.log(usage);
else
  await run().catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  });
