import { describe, expect, it } from 'vitest';
import { probeAdapter } from './adapter.ts';

describe('probeAdapter', () => {
  const adapter = (info: object) => ({ info: { isFallbackAdapter: false, vendor: '', architecture: '', description: '', ...info } });
  const gpu = (...answers: (object | null)[]) => ({ requestAdapter: async () => answers.shift() ?? null }) as unknown as GPU;

  it('asks in several ways, because some machines answer only one of the questions', async () => {
    expect(await probeAdapter(gpu(null, adapter({ architecture: 'hopper' })))).toBe('hardware');
    expect(await probeAdapter(gpu(null, null))).toBe('none');
  });

  it('knows software renderers by flag and by name', async () => {
    expect(await probeAdapter(gpu(adapter({ isFallbackAdapter: true })))).toBe('software');
    expect(await probeAdapter(gpu(adapter({ architecture: 'swiftshader' })))).toBe('software');
    expect(await probeAdapter(gpu(adapter({ description: 'llvmpipe (LLVM 15)' })))).toBe('software');
  });
});
