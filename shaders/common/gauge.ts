/**
 * How fast a GPU is right now: a fixed piece of arithmetic, about a millisecond long, that takes longer when somebody else uses the
 * GPU as well. A kernel's own slices cannot tell: how long a slice takes depends on what it happens to compute.
 */
export interface Gauge {
  /** Milliseconds from handing it in to its end; nothing else of ours may be on the GPU. */
  measure(): Promise<number>;
  dispose(): void;
}

const TARGET_MS = 1;
const ROUNDS_FIRST = 256;
/** Doubled so often at most: on the fastest GPUs an empty dispatch takes most of the millisecond. */
const DOUBLINGS_MAX = 12;
/** Enough to be slowed by others, few enough to hold nobody up. */
const WORKGROUPS = 64;

const code = `
override rounds: u32;
@group(0) @binding(0) var<storage, read_write> sums: array<u32>;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  var state = id.x;
  for (var round = 0u; round < rounds; round++) { state = state * 747796405u + 2891336453u; }
  sums[id.x] = state;
}`;

/** Finds a length of about a millisecond. Throws what WebGPU throws. */
export async function openGauge(device: GPUDevice): Promise<Gauge> {
  const module = device.createShaderModule({ label: 'gauge', code });
  const sums = device.createBuffer({ label: 'gauge', size: WORKGROUPS * 64 * 4, usage: GPUBufferUsage.STORAGE });
  const make = (rounds: number): Promise<GPUComputePipeline> =>
    device.createComputePipelineAsync({ layout: 'auto', compute: { module, constants: { rounds } } });
  const run = async (pipeline: GPUComputePipeline): Promise<number> => {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries: [{ binding: 0, resource: { buffer: sums } }] }));
    pass.dispatchWorkgroups(WORKGROUPS);
    pass.end();
    const began = performance.now();
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
    return performance.now() - began;
  };
  let rounds = ROUNDS_FIRST;
  let pipeline = await make(rounds);
  for (let doubling = 0; doubling < DOUBLINGS_MAX; doubling++) {
    // The first run pays for what drivers put off.
    await run(pipeline);
    if (Math.min(await run(pipeline), await run(pipeline)) >= TARGET_MS) break;
    rounds *= 2;
    pipeline = await make(rounds);
  }
  return { measure: () => run(pipeline), dispose: () => sums.destroy() };
}
