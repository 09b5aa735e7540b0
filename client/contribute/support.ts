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
