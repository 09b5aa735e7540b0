import { expect, test } from 'vitest';
import { lossOf, requestDevice } from './device.ts';

const limits = { maxBufferSize: 1, maxStorageBufferBindingSize: 2, maxStorageBuffersPerShaderStage: 3 };

/** A `navigator.gpu` that answers only to one kind of request. */
function gpuThatWants(
  accepts: (options: GPURequestAdapterOptions) => boolean,
  asked: GPURequestAdapterOptions[],
  device: (descriptor: GPUDeviceDescriptor) => Promise<GPUDevice>,
): GPU {
  const features = new Set(['shader-f16', 'depth-clip-control']);
  const adapter = { limits, features, requestDevice: device } as unknown as GPUAdapter;
  const requestAdapter = async (options: GPURequestAdapterOptions = {}): Promise<GPUAdapter | null> => {
    asked.push(options);
    return accepts(options) ? adapter : null;
  };
  return { requestAdapter } as unknown as GPU;
}

const device = { label: 'fake' } as GPUDevice;

test('the fast GPU is asked for first', async () => {
  const asked: GPURequestAdapterOptions[] = [];
  const descriptors: GPUDeviceDescriptor[] = [];
  const opened = await requestDevice(
    gpuThatWants(
      () => true,
      asked,
      async (descriptor) => {
        descriptors.push(descriptor);
        return device;
      },
    ),
  );
  expect(opened.device).toBe(device);
  // What kernels make use of, as far as it is there, and nothing else.
  expect(descriptors).toMatchObject([{ requiredFeatures: ['shader-f16'] }]);
  expect(asked).toEqual([{ powerPreference: 'high-performance' }]);
});

test('a GPU that only answers in compatibility mode is found', async () => {
  const asked: GPURequestAdapterOptions[] = [];
  await requestDevice(
    gpuThatWants(
      ({ featureLevel }) => featureLevel === 'compatibility',
      asked,
      async () => device,
    ),
  );
  expect(asked).toHaveLength(3);
});

test('errors say what is missing', async () => {
  await expect(requestDevice(undefined)).rejects.toThrow(/https/);
  await expect(
    requestDevice(
      gpuThatWants(
        () => false,
        [],
        async () => device,
      ),
    ),
  ).rejects.toThrow(/high-performance.*none.*compatibility.*none/);
  const refusing = async (): Promise<GPUDevice> => {
    throw new Error('out of devices');
  };
  await expect(requestDevice(gpuThatWants(() => true, [], refusing))).rejects.toThrow(/out of devices/);
});

test('a lost device becomes a rejection with its reason', async () => {
  const lost = Promise.resolve({ reason: 'unknown', message: 'driver reset' } as GPUDeviceLostInfo);
  await expect(lossOf({ lost } as GPUDevice)).rejects.toThrow(/lost \(unknown\): driver reset/);
});
