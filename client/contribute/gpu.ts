/** What can be known before the yes: nothing is asked of the GPU. */
export type Support =
  | { readonly kind: 'ready' }
  | { readonly kind: 'insecure'; readonly message: string }
  | { readonly kind: 'unsupported'; readonly message: string };

export function supportOf(secure: boolean, hasGpu: boolean, place: { hostname: string; port: string }): Support {
  if (!secure) {
    const local = `http://localhost${place.port ? `:${place.port}` : ''}`;
    return {
      kind: 'insecure',
      message: `WebGPU exists only on https or localhost: open this page as https://${place.hostname} or on this machine as ${local}.`,
    };
  }
  if (!hasGpu)
    return {
      kind: 'unsupported',
      message: 'This browser has no WebGPU. Chrome and Edge have it since 113, Safari since 26, Firefox since 141 on Windows and 145 on macOS.',
    };
  return { kind: 'ready' };
}

export type AdapterKind = 'hardware' | 'software' | 'none';

/**
 * Asks for an adapter, only after the yes. On some machines the default gives none and high performance the GPU.
 * Two software renderers report themselves as ordinary adapters, so their names count too.
 */
export async function probeAdapter(gpu: GPU): Promise<AdapterKind> {
  for (const options of [{ powerPreference: 'high-performance' }, {}] as const) {
    const adapter = await gpu.requestAdapter(options);
    if (!adapter) continue;
    const { isFallbackAdapter, architecture, description } = adapter.info;
    return isFallbackAdapter || /swiftshader|llvmpipe/i.test(`${architecture} ${description}`) ? 'software' : 'hardware';
  }
  return 'none';
}
