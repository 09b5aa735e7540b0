import { InputError, type WorkloadPrepare } from '../../shared/workload.ts';
import { packBatch } from './batch.ts';
import { Feeder } from './feeds.ts';
import { batchLimits } from './limits.ts';
import { dissect } from './onnx/anatomy.ts';
import { type Port, readModel } from './onnx/model.ts';
import { outcomeOf, told } from './outcomes.ts';
import { type InferParams, type InferPrepared, settingsOf } from './params.ts';
import { batchMaxOf, perTileOf, requireFeasible } from './plan.ts';
import { refusalOf, scaleOf, trial } from './trial.ts';

/** Whether the model says that it takes one input at a time. Throws `InputError` where it takes several that cannot be chosen. */
function takesOne(ports: readonly Port[]): boolean {
  for (const { name, dimensions } of ports) {
    const [batch] = dimensions;
    if (typeof batch === 'number' && batch > 1)
      throw new InputError(
        'model',
        `The input ${JSON.stringify(name)} takes ${batch} inputs at once, no more and no less.`,
        'a first dimension that is open, or 1',
      );
  }
  return ports.some(({ dimensions }) => dimensions[0] === 1);
}

/**
 * A model and its inputs -> the input blobs `model`, as it was uploaded, and `batch`, and the small facts about them. Equal arguments give equal bytes;
 * only `cpuMs` is measured.
 */
export const prepare: WorkloadPrepare<InferParams, InferPrepared>['prepare'] = async (params, files) => {
  const settings = settingsOf(params);
  const { model: bytes } = files;
  if (!bytes) throw new InputError('model', 'There is no model.', 'one .onnx file');
  const model = readModel(bytes);
  const isSingle = takesOne(model.inputs);
  const { bytes: packed, names, ...batch } = await packBatch(settings, model.inputs, files.inputs);
  const feeder = new Feeder(params, batch, packed);
  const anatomy = await dissect(bytes, model, feeder.feed([0])).catch((error: unknown) => {
    throw refusalOf(error);
  });
  requireFeasible(anatomy);
  const tried = await trial(bytes, model.outputs, settings.output, feeder, batch.count, isSingle);
  const { report, ...outcome } = outcomeOf(settings, tried.output.shape, tried.outputs, files.labels);
  const { memory, ...work } = anatomy;
  const short = names?.map((name) => name.slice(0, batchLimits.nameCharsMax)) ?? null;
  const isTold = short === null || told(short);
  const shared = { ...batch, ...outcome, output: tried.output, work };
  return {
    prepared: {
      ...shared,
      batchMax: tried.takesMany ? batchMaxOf(anatomy) : 1,
      perTile: perTileOf(params, shared),
      memory,
      cpuMs: tried.cpuMs,
      scale: scaleOf(tried.output.shape, tried.outputs),
      names: isTold ? short : null,
    },
    inputs: { model: bytes, batch: packed },
    report: [...tried.report, ...report, ...(isTold ? [] : ['The names of the inputs are too long together to be told with every job; rows have numbers.'])],
    facts: { inputs: batch.count, layers: model.nodes.length, weights: memory.weights / 4, multiplications: anatomy.multiplications },
  };
};
